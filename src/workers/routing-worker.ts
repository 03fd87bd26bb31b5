import type { TaskEvents } from "../core/events.ts";
import type { Service } from "../core/service.ts";
import type { TaskPayload } from "../queue/payload.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import { type Delegation, decide } from "../router/decide.ts";

export interface RoutingWorkerOptions {
  readonly queues: TaskQueues;
  readonly delegation: Delegation | null;
  readonly events: TaskEvents;
}

/** Takes each task from the inbox queue, decides who does it, and moves it on with the reason. */
export class RoutingWorker implements Service {
  readonly #options: RoutingWorkerOptions;

  constructor(options: RoutingWorkerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#options.queues.startRouting((id, payload) => this.#route(id, payload));
  }

  async stop(): Promise<void> {
    await this.#options.queues.stopRouting();
  }

  async #route(id: string, payload: TaskPayload): Promise<void> {
    const { queues, delegation, events } = this.#options;
    const decision = decide(payload.header, delegation);
    await queues.toLocal(id, { ...payload, reason: decision.reason, attempts: 0, resume: null });
    events.emit({ type: "routed", task: { project: payload.project, name: payload.name }, id, decision });
  }
}
