import type { Queue } from "bullmq";
import { z } from "zod";
import type { RedisClient } from "./connection.ts";

/** What stands in a queue. */
export interface Backlog {
  readonly waiting: number;
  readonly active: number;
  /** Put off: a retry, or a file that was being changed. */
  readonly delayed: number;
  /** When the oldest of the waiting was enqueued, in ms since the epoch; null when none waits. */
  readonly oldestAtMs: number | null;
}

/** Counts a queue's jobs without reading them. */
export async function readBacklog(queue: Queue, redis: RedisClient): Promise<Backlog> {
  const counts = await queue.getJobCounts("waiting", "prioritized", "active", "delayed");
  return {
    waiting: (counts["waiting"] ?? 0) + (counts["prioritized"] ?? 0),
    active: counts["active"] ?? 0,
    delayed: counts["delayed"] ?? 0,
    oldestAtMs: await oldestIn(queue, redis),
  };
}

/**
 * The earliest of the times at which the waiting jobs were enqueued; one that was put back or tried again stands
 * anywhere in its priority. A script, as a cluster and a user with keys of its own may not SORT by other keys.
 */
const OLDEST = `
local oldest = false
local function look(ids)
  for _, id in ipairs(ids) do
    local at = tonumber(redis.call("HGET", ARGV[1] .. id, "timestamp"))
    if at and (not oldest or at < oldest) then oldest = at end
  end
end
look(redis.call("LRANGE", KEYS[1], 0, -1))
look(redis.call("ZRANGE", KEYS[2], 0, -1))
return oldest`;

async function oldestIn(queue: Queue, redis: RedisClient): Promise<number | null> {
  const found = await redis.eval(OLDEST, 2, queue.toKey("wait"), queue.toKey("prioritized"), queue.toKey(""));
  return z.coerce.number().nullable().parse(found);
}
