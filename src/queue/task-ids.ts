import { basename } from "node:path";
import type { Job, Queue } from "bullmq";
import { newTaskId, taskKey } from "../core/id.ts";
import type { TaskFile } from "../core/task.ts";
import { ending, type TaskPayload, taskPayload } from "./payload.ts";

/** A task to hand in, and the id that it had before, where its file was put back. */
export interface Entry {
  readonly payload: TaskPayload;
  readonly id: string | null;
}

/** A task that has its id. */
export interface NamedTask<Payload extends TaskPayload = TaskPayload> {
  readonly id: string;
  readonly payload: Payload;
}

/**
 * Gives each task its id: one that is put back has its own again, unless that is another's. `routed` are the queues
 * behind the inbox queue: what is left of it there goes when it comes there again, so that it is never nowhere.
 */
export async function nameTasks(
  entries: readonly Entry[],
  inbox: Queue,
  routed: readonly Queue[],
): Promise<NamedTask[]> {
  const taken = new Set<string>();
  const named: NamedTask[] = [];
  for (const { id: earlier, payload } of entries) {
    // A job in the inbox queue that stands for the file keeps its own id.
    const isFree =
      earlier !== null && !taken.has(earlier) && (await inbox.getDeduplicationJobId(taskKey(payload))) === null;
    const runs = isFree ? await clearOld(earlier, payload, inbox, routed) : null;
    const id = earlier !== null && runs !== null ? earlier : newTaskId();
    taken.add(id);
    // A file may be older than its task's last run, whose number is taken, too.
    named.push({ id, payload: { ...payload, earlierRuns: Math.max(payload.earlierRuns, runs ?? 0) } });
  }
  return named;
}

/** Makes room for a task that was over; how many runs it had. null when the id is in use, or another file's. */
async function clearOld(id: string, task: TaskFile, inbox: Queue, routed: readonly Queue[]): Promise<number | null> {
  let runs = 0;
  for (const queue of [...routed, inbox]) {
    const job: Job | undefined = await queue.getJob(id);
    if (job === undefined) continue;
    const known = taskPayload.safeParse(job.data).data;
    const isOver = job.finishedOn !== undefined && known?.project === task.project;
    if (!isOver || (queue !== inbox && !isNamed(job, known, task.name))) return null;
    if (queue !== inbox) runs = Math.max(runs, known.earlierRuns + job.attemptsStarted);
  }
  await inbox.remove(id);
  return runs;
}

/** Whether a finished job was a file's: by its name in the inbox, or by the one that it was given at its end. */
function isNamed(job: Job, known: TaskPayload, name: string): boolean {
  const path = ending.safeParse(job.returnvalue ?? job.data.ending).data?.path ?? "";
  return known.name === name || basename(path) === name;
}
