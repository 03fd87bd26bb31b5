import { connectOnce, type RedisAddress } from "./connection.ts";

const TIMEOUT_MS = 3_000;

/** What decides whether a Redis is good for a queue. */
export interface RedisFacts {
  /** As it calls itself: `Redis 7.2.4`, `Valkey 8.1.0`. */
  readonly name: string;
  /** Of Redis, or of the one that it is compatible with. */
  readonly version: string;
  /** Each write is logged on disk. */
  readonly appendOnly: boolean;
  /** The last write to disk failed. */
  readonly writeFailed: boolean;
  readonly evictionPolicy: string;
  /** How far its clock is ahead of ours, in ms. */
  readonly aheadMs: number;
}

/** Asks a Redis about itself. Throws what the client meets. */
export async function inspectRedis(address: RedisAddress): Promise<RedisFacts> {
  const redis = connectOnce(address, { connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS });
  let last: Error | null = null;
  redis.on("error", (error: Error) => {
    last = error;
  });
  try {
    await redis.connect();
    const askedMs = Date.now();
    const [seconds, microseconds] = await redis.time();
    const answeredMs = Date.now();
    const ourMs = (askedMs + answeredMs) / 2;
    return { ...readInfo(await redis.info()), aheadMs: Number(seconds) * 1_000 + Number(microseconds) / 1_000 - ourMs };
  } catch (error) {
    // The client tells the reason apart from the failure.
    throw last ?? error;
  } finally {
    redis.disconnect();
  }
}

function readInfo(info: string): Omit<RedisFacts, "aheadMs"> {
  const fields = new Map(info.split(/\r?\n/).map((line): [string, string] => splitAt(line, ":")));
  const field = (name: string) => fields.get(name) ?? "";
  const version = field("redis_version");
  const valkey = field("valkey_version");
  return {
    name: valkey === "" ? `Redis ${version}` : `Valkey ${valkey}`,
    version,
    appendOnly: field("aof_enabled") === "1",
    writeFailed: [field("aof_last_write_status"), field("rdb_last_bgsave_status")].includes("err"),
    evictionPolicy: field("maxmemory_policy"),
  };
}

function splitAt(line: string, mark: string): [string, string] {
  const index = line.indexOf(mark);
  return index < 0 ? [line, ""] : [line.slice(0, index), line.slice(index + 1)];
}
