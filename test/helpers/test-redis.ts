import { rm } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { connect, type RedisAddress } from "../../src/queue/connection.ts";

/** A database of the tests' Redis that nobody else uses; null where each queue starts a Redis of its own. */
export async function ownDatabase(): Promise<{ readonly url: string } | null> {
  // Only the integration tests have one provided.
  const url: string | null | undefined = inject("redisUrl");
  if (url === null || url === undefined) return null;
  const redis = connect({ url });
  const database = await redis.incr("databases");
  redis.disconnect();
  return { url: `${url}/${database}` };
}

/** Has Redis forget all that a queue has told it; the queue is stopped. */
export async function loseRedis(config: {
  readonly redisUrl: string | null;
  readonly stateDir: string;
}): Promise<void> {
  if (config.redisUrl === null) return await rm(join(config.stateDir, "redis"), { recursive: true });
  const redis = connect({ url: config.redisUrl });
  await redis.flushdb();
  redis.disconnect();
}

/** Where a queue of a test has its Redis. */
export function redisOf(config: { readonly redisUrl: string | null; readonly stateDir: string }): RedisAddress {
  return config.redisUrl === null ? { socket: `${config.stateDir}/redis.sock` } : { url: config.redisUrl };
}
