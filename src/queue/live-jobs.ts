import type { Queue } from "bullmq";
import type { RedisClient } from "./connection.ts";

export const WAITING: readonly string[] = ["waiting", "prioritized", "delayed"];
/** Few enough that nobody waits for the answer to others. */
const READ_AT_ONCE = 1_000;

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
  for (let start = 0; start < keys.length; start += READ_AT_ONCE) {
    const some = keys.slice(start, start + READ_AT_ONCE);
    const ids = await Promise.all(queues.map((queue) => redis.mget(some.map((key) => queue.toKey(`de:${key}`)))));
    found.push(...some.map((_, index) => ids.map((those) => those[index] ?? null).find((id) => id !== null) ?? null));
  }
  return found;
}

export async function liveIdsBeginning(queue: Queue, beginning: string): Promise<string[]> {
  const ids: string[] = await queue.getRanges(["waiting", "prioritized", "active", "delayed"], 0, -1);
  return ids.filter((id) => id.startsWith(beginning));
}
