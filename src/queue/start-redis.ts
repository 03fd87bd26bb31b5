import type { Services } from "../core/services.ts";
import { type RedisAddress, untilReachable } from "./connection.ts";
import { EmbeddedRedis } from "./embedded-redis.ts";

export interface StartRedisOptions {
  /** null = one of our own, in the state directory. */
  readonly redisUrl: string | null;
  readonly stateDir: string;
  /** What a server of our own inherits. */
  readonly environment: Readonly<Record<string, string>>;
  readonly onError: (error: unknown) => void;
}

/** Waits for the configured Redis, or starts one. @throws {QueueError} REDIS_MISSING, REDIS_FAILED, CONFIG_INVALID */
export async function startRedis(services: Services, options: StartRedisOptions): Promise<RedisAddress> {
  const { redisUrl, stateDir, environment, onError } = options;
  if (redisUrl === null) {
    const embedded = new EmbeddedRedis(stateDir, environment, onError);
    return (await services.start(embedded)).address;
  }
  await untilReachable({ url: redisUrl }, onError, services.stopping);
  return { url: redisUrl };
}
