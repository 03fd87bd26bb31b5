import type { Queue } from "bullmq";

export const WAITING: readonly string[] = ["waiting", "prioritized", "delayed"];

/** Not so a job that has just ended: its file went with it, and BullMQ would remove its record. */
export async function isWaiting(queue: Queue, id: string): Promise<boolean> {
  return WAITING.includes(await queue.getJobState(id));
}

/** The id of the job that stands for a task in the first of these queues that has one, or null. */
export async function liveId(key: string, queues: readonly Queue[]): Promise<string | null> {
  const ids = await Promise.all(queues.map((queue) => queue.getDeduplicationJobId(key)));
  return ids.find((id) => id !== null) ?? null;
}

export async function liveIds(queue: Queue, beginning: string): Promise<string[]> {
  const ids: string[] = await queue.getRanges(["waiting", "prioritized", "active", "delayed"], 0, -1);
  return ids.filter((id) => id.startsWith(beginning));
}
