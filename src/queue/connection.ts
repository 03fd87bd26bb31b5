import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { QueueError } from "../core/errors.ts";

/** Where Redis is: a URL (`redis://`, `rediss://`), or the unix socket of the embedded one. */
export type RedisAddress = { readonly url: string } | { readonly socket: string };

/** BullMQ's own steps reach 20 s, which a queue that is back already should not wait for. */
const MAX_RETRY_MS = 1_000;
const PROBE_TIMEOUT_MS = 2_000;

/** A connection for queues and workers: it waits for Redis as long as it takes and comes back by itself. */
export function connect(address: RedisAddress): Redis {
  return new Redis(target(address), {
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(times * 100, MAX_RETRY_MS),
  });
}

/** The process id of the Redis that answers at an address right now, or null when none does. */
export async function probe(address: RedisAddress): Promise<number | null> {
  const redis = new Redis(target(address), {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: PROBE_TIMEOUT_MS,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    const [, pid] = /process_id:(\d+)/.exec(await redis.info("server")) ?? [];
    return Number(pid);
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

/** Waits until Redis answers, and says so when it does not at once. */
export async function untilReachable(
  address: { readonly url: string },
  onError: (error: Error) => void,
): Promise<void> {
  for (let attempt = 0; (await probe(address)) === null; attempt += 1) {
    if (attempt === 0) onError(unreachable(address.url));
    await sleep(MAX_RETRY_MS);
  }
}

/** Only host and port are named: the URL may hold a password. */
function unreachable(url: string): QueueError {
  const { host } = new URL(url);
  return new QueueError(`Redis at ${host} does not answer`, {
    code: "REDIS_UNREACHABLE",
    hint: "start it or correct redis.url or REDIS_URL; the daemon waits for it",
  });
}

/** ioredis takes a path where a URL may stand. */
function target(address: RedisAddress): string {
  return "url" in address ? address.url : address.socket;
}
