import { Job, type Queue } from "bullmq";
import { parseRunId, runId } from "../core/id.ts";
import type { RedisClient } from "./connection.ts";
import { WAITING } from "./live-jobs.ts";
import { readPayload, taskPayload } from "./payload.ts";

/** Who holds jobs of a queue, by the token that locks them. */
export interface Holder {
  readonly queue: Queue;
  readonly redis: RedisClient;
  readonly token: string;
}

/**
 * How a run's job stands: held for that very run, or over with it; held by us as another start of it; gone on without it,
 * in somebody's hands; waiting for whoever comes; or unknown, as Redis has lost it. A Redis that was set back knows an
 * earlier time.
 */
export type Standing = "ours" | "held" | "elsewhere" | "waiting" | "unknown";

/** How the job of a run stands for whoever bears this token. */
export async function standingOf({ queue, redis, token }: Holder, id: string, run: string): Promise<Standing> {
  // Before its record: one that is held between the two looks was waiting.
  const state = await queue.getJobState(id);
  if (WAITING.includes(state)) return "waiting";
  const job: Job | undefined = await Job.fromId(queue, id);
  if (job === undefined) return "unknown";
  const { earlierRuns } = readPayload(taskPayload, id, job.data);
  const runs = earlierRuns + job.attemptsStarted;
  const isThisRun = runId(id, runs) === run;
  // What Redis knows as over was so before this run began.
  if (state !== "active" && runs < (parseRunId(run)?.runs ?? 0)) return "unknown";
  if (state !== "active") return isThisRun ? "ours" : "elsewhere";
  if ((await redis.get(`${queue.toKey(id)}:lock`)) !== token) return "elsewhere";
  return isThisRun ? "ours" : "held";
}

/** Takes a job from wherever it waits and holds it, as the nth start. Nothing else of BullMQ's can pick one out. */
const HOLD = `
local id = ARGV[1]
local waited = redis.call("LREM", KEYS[3], 0, id) + redis.call("ZREM", KEYS[4], id) + redis.call("ZREM", KEYS[5], id)
if waited == 0 then return 0 end
redis.call("LPUSH", KEYS[6], id)
redis.call("SET", KEYS[2], ARGV[2], "PX", ARGV[3])
redis.call("HSET", KEYS[1], "ats", ARGV[4], "processedOn", ARGV[5], "delay", 0)
return 1`;

/** Holds a waiting job for a run that began before Redis knew it. False when it waits no more. */
export async function holdWaiting(
  { queue, redis, token }: Holder,
  id: string,
  { start, lockMs }: { readonly start: number; readonly lockMs: number },
): Promise<boolean> {
  const job = queue.toKey(id);
  const keys = [job, `${job}:lock`, ...["wait", "prioritized", "delayed", "active"].map((type) => queue.toKey(type))];
  return (await redis.eval(HOLD, keys.length, ...keys, id, token, lockMs, start, Date.now())) === 1;
}
