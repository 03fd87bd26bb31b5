import type { TaskEvents } from "../core/events.ts";
import type { Service } from "../core/service.ts";
import { INBOX_QUEUE } from "../queue/names.ts";
import { readPayload, taskPayload } from "../queue/payload.ts";
import { Processor, type ProcessorOptions } from "../queue/processor.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import { type Delegation, decide } from "../router/decide.ts";

export interface RoutingWorkerOptions extends Omit<ProcessorOptions, "queue" | "process"> {
  readonly queues: TaskQueues;
  /** null = not configured. */
  readonly delegation: Delegation | null;
  readonly events: TaskEvents;
}

/** Takes each task from the inbox queue, one at a time, decides who does it, and moves it on with the reason. */
export function routingWorker(options: RoutingWorkerOptions): Service {
  return new Processor({
    ...options,
    queue: INBOX_QUEUE,
    process: ({ id, data }) => route(id, data, options),
  });
}

/** Repeating it is harmless. */
async function route(id: string, data: unknown, { queues, delegation, events }: RoutingWorkerOptions): Promise<void> {
  const payload = readPayload(taskPayload, id, data);
  const decision = decide(payload.header, delegation);
  const routed = { ...payload, reason: decision.reason, attempts: 0, ending: null };
  if (decision.route === "local") await queues.toLocal(id, { ...routed, resume: null });
  else await queues.toDelegated(id, { ...routed, provider: decision.provider, remote: null });
  events.emit({ type: "routed", task: { project: payload.project, name: payload.name }, id, decision });
}
