import type { Job, Queue } from "bullmq";
import { slices } from "../core/slices.ts";
import type { Work } from "../core/work.ts";
import type { RedisClient } from "./connection.ts";

export const WAITING: readonly string[] = ["waiting", "prioritized", "delayed"];
/** Few enough that nobody waits for the answer to others. */
const READ_AT_ONCE = 1_000;
/** No try to begin a task takes longer, unless it goes on. */
const TRY_MS = 3_000;

/** Not so a job that has just ended: its file went with it, and BullMQ would remove its record. */
export async function isWaiting(queue: Queue, id: string): Promise<boolean> {
  return WAITING.includes(await queue.getJobState(id));
}

/** The ids of the jobs that stand for tasks, each in the first of these queues that has one; null where none has. */
export async function liveIds(
  keys: readonly string[],
  queues: readonly Queue[],
  redis: RedisClient,
): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  for (const some of slices(keys, READ_AT_ONCE)) {
    const ids = await redis.mget(some.flatMap((key) => queues.map((queue) => queue.toKey(`de:${key}`))));
    const idsOf = (index: number) => ids.slice(index * queues.length, (index + 1) * queues.length);
    found.push(...some.map((_, index) => idsOf(index).find((id) => id !== null) ?? null));
  }
  return found;
}

/** A task's job that is not over, or else one that is, and where it is. */
export async function findJob(
  id: string,
  queues: readonly Queue[],
): Promise<{ queue: Queue; job: Job } | { queue: undefined; job: undefined }> {
  let over: { queue: Queue; job: Job } | null = null;
  for (const queue of queues) {
    const job: Job | undefined = await queue.getJob(id);
    if (job === undefined) continue;
    if (job.finishedOn === undefined) return { queue, job };
    over ??= { queue, job };
  }
  return over ?? { queue: undefined, job: undefined };
}

/** Whether anybody works on a job, null for one that there is not. */
export async function workOn(id: string | null, queues: readonly Queue[]): Promise<Work> {
  const { job } = id === null ? { job: undefined } : await findJob(id, queues);
  if (job === undefined || !(await job.isActive())) return "none";
  return Date.now() - (job.processedOn ?? 0) < TRY_MS ? "begun" : "going on";
}

export async function liveIdsBeginning(queue: Queue, beginning: string): Promise<string[]> {
  const ids: string[] = await queue.getRanges(["waiting", "prioritized", "active", "delayed"], 0, -1);
  return ids.filter((id) => id.startsWith(beginning));
}
