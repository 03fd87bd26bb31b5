import type { Config } from "../../config/config.ts";
import { formatDuration } from "../../core/duration.ts";
import { inspectRedis } from "../../queue/inspect-redis.ts";
import { type Finding, ok, warning } from "./check.ts";

/** What goes unnoticed in times and orders that people see. */
const TOLERATED_MS = 1_000;

/** This host's clock against that of a Redis elsewhere: the hosts of a workspace go by their own. */
export async function lookAtClock({ redisUrl }: Config): Promise<Finding[]> {
  if (redisUrl === null) return [ok("Redis is embedded and has the same clock")];
  const facts = await inspectRedis({ url: redisUrl }).catch(() => null);
  if (facts === null) return [];
  const { aheadMs } = facts;
  if (Math.abs(aheadMs) <= TOLERATED_MS) return [ok("that of Redis goes the same")];
  const how = `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? "behind" : "ahead of"}`;
  return [warning(`it is ${how} that of Redis`, "let both hosts take their time from the network (NTP)")];
}
