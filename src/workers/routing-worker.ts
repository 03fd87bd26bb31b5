import type { TaskEvents } from "../core/events.ts";
import type { Decision } from "../core/route.ts";
import type { Service } from "../core/service.ts";
import type { WorkspaceRedis } from "../queue/connection.ts";
import { INBOX_QUEUE } from "../queue/names.ts";
import { readPayload, type TaskPayload, taskPayload } from "../queue/payload.ts";
import { Processor } from "../queue/processor.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import { type Delegation, decide } from "../router/decide.ts";

export interface RoutingWorkerOptions extends WorkspaceRedis {
  readonly queues: TaskQueues;
  /** null = not configured. */
  readonly delegation: Delegation | null;
  readonly events: TaskEvents;
}

interface DecidedTask {
  readonly id: string;
  readonly task: TaskPayload;
  readonly decision: Decision;
}

/** Few enough that a task which comes first waits for no more than some ms. */
const BATCH = 50;

/** Takes the tasks from the inbox queue in their order, decides who does each, and moves it on with the reason. */
export function routingWorker({ queues, delegation, events, ...queue }: RoutingWorkerOptions): Service {
  return new Processor({
    ...queue,
    queue: INBOX_QUEUE,
    batch: BATCH,
    read: (id, data): DecidedTask => {
      const task = readPayload(taskPayload, id, data);
      return { id, task, decision: decide(task.header, delegation) };
    },
    process: async (tasks) => {
      await moveOn(tasks, queues);
      for (const { id, task, decision } of tasks)
        events.emit({ type: "routed", task: { project: task.project, name: task.name }, id, decision });
    },
  });
}

/** Repeating it is harmless. */
async function moveOn(tasks: readonly DecidedTask[], queues: TaskQueues): Promise<void> {
  const routed = tasks.map(({ id, task, decision }) => {
    const payload = { ...task, reason: decision.reason, attempts: 0, ending: null };
    return { id, payload, decision };
  });
  await Promise.all([
    queues.toLocal(
      routed.flatMap(({ id, payload, decision }) =>
        decision.route === "local" ? { id, payload: { ...payload, resume: null } } : [],
      ),
    ),
    queues.toDelegated(
      routed.flatMap(({ id, payload, decision }) =>
        decision.route === "delegated"
          ? { id, payload: { ...payload, provider: decision.provider, remote: null } }
          : [],
      ),
    ),
  ]);
}
