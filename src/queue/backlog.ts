import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";

/** What stands in a queue. */
export interface Backlog {
  readonly waiting: number;
  readonly active: number;
  /** Put off: a retry, or a file that was being changed. */
  readonly delayed: number;
  /** When the oldest of the waiting was enqueued, in ms since the epoch; null when none waits. */
  readonly oldestAtMs: number | null;
}

/** Where BullMQ keeps the jobs that wait: a list, and by priority. */
const WAITING = ["wait", "prioritized"];

/** Counts a queue's jobs without reading them. */
export async function readBacklog(queue: Queue, redis: Redis): Promise<Backlog> {
  const counts = await queue.getJobCounts("waiting", "prioritized", "active", "delayed");
  const oldest = await Promise.all(WAITING.map((name) => oldestIn(name, queue, redis)));
  return {
    waiting: (counts["waiting"] ?? 0) + (counts["prioritized"] ?? 0),
    active: counts["active"] ?? 0,
    delayed: counts["delayed"] ?? 0,
    oldestAtMs: oldest.flat().length === 0 ? null : Math.min(...oldest.flat()),
  };
}

/** Redis compares the times itself: a job that was put back or tried again stands anywhere in its priority. */
async function oldestIn(name: string, queue: Queue, redis: Redis): Promise<number[]> {
  const time = `${queue.toKey("*")}->timestamp`;
  const found = await redis.sort(queue.toKey(name), "BY", time, "LIMIT", 0, 1, "GET", time);
  return z.array(z.coerce.number()).parse(found);
}
