import type { Controls } from "../../control/controls.ts";
import { QueueError } from "../../core/errors.ts";
import { type BoardQueue, hasFinishedTasks } from "./board-queue.ts";

/** How many tasks that could not be put back are named. */
const MAX_NAMED = 5;

/** What the button "Retry all" is answered with. */
interface Retried {
  readonly retried: number;
  readonly skipped: number;
}

/**
 * Puts the task of a finished job back into its inbox; a notification is delivered again.
 * @throws {QueueError} TASK_UNKNOWN, TASK_NOT_OVER, BOARD_REFUSED
 */
export async function retryJob(queue: BoardQueue, id: string, controls: Pick<Controls, "retry">): Promise<void> {
  if (hasFinishedTasks(queue)) {
    if ((await queue.nameOf(id)) === null) throw jobGone(queue, id);
    await controls.retry(id);
    return;
  }
  if (queue.name !== "notifications") throw refused(`the queue ${queue.name} tries again by itself`);
  if (!(await queue.again(id))) throw refused("this notification has not failed, or was retried already");
}

/** The same for every failed job of a queue. @throws {QueueError} TASK_UNKNOWN, BOARD_REFUSED */
export async function retryFailed(queue: BoardQueue, controls: Pick<Controls, "retry">): Promise<Retried> {
  const ids = await queue.failed();
  const missing: string[] = [];
  for (const id of ids) {
    await retryJob(queue, id, controls).catch((error: unknown) => {
      if (!(error instanceof QueueError)) throw error;
      if (error.code === "TASK_UNKNOWN") missing.push(id);
      // Somebody else was faster.
      else if (error.code !== "TASK_NOT_OVER" && hasFinishedTasks(queue)) throw error;
    });
  }
  if (missing.length === 0) return { retried: ids.length, skipped: 0 };
  throw await filesGone(queue, missing, ids.length);
}

async function filesGone(queue: BoardQueue, missing: readonly string[], all: number): Promise<QueueError> {
  const names = await Promise.all(missing.slice(0, MAX_NAMED).map(async (id) => (await queue.nameOf(id)) ?? id));
  const more = missing.length > MAX_NAMED ? " …" : "";
  return new QueueError(
    `${all - missing.length} of ${all} failed tasks were put back; not ${names.join(", ")}${more}: no file of theirs is in failed/`,
    { code: "TASK_UNKNOWN", hint: "they were put back a moment ago, or somebody has moved or removed their files" },
  );
}

function jobGone({ name }: BoardQueue, id: string): QueueError {
  const hint = "it was put back a moment ago, or is kept no longer";
  return new QueueError(`the queue ${name} has no job ${id}`, { code: "TASK_UNKNOWN", hint });
}

/** What this page does not do. */
export function refused(message: string, hint?: string): QueueError {
  return new QueueError(message, { code: "BOARD_REFUSED", ...(hint === undefined ? {} : { hint }) });
}
