import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";
import { keyPrefix } from "./names.ts";

/** One key for all workspaces of a Redis, so that they can be seen together. */
const KEY = "ccl-queue:hosts";
/** A host that has not been heard of for so long is forgotten. */
const FORGOTTEN_MS = 30 * 24 * 60 * 60_000;

const heartbeat = z.object({
  workspace: z.string(),
  host: z.string(),
  atMs: z.number(),
  /** Its daemon was stopped in order: its agents go on, and its next start takes them over. */
  stopped: z.boolean(),
  report: z.unknown(),
});
/** What a host last said of itself. */
export type Heartbeat = Readonly<z.infer<typeof heartbeat>>;

export type HostName = Pick<Heartbeat, "workspace" | "host">;

export interface HostsOptions {
  readonly address: RedisAddress;
  readonly onError: (error: Error) => void;
}

/** The hosts that share a Redis, of every workspace. */
export class Hosts implements Service {
  readonly #redis: RedisClient;

  constructor({ address, onError }: HostsOptions) {
    this.#redis = connect(address);
    this.#redis.on("error", onError);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#redis.disconnect();
  }

  async say(beat: Heartbeat): Promise<void> {
    await this.#redis.hset(KEY, nameOf(beat), JSON.stringify(beat));
  }

  /** Nothing of the host is left to be taken over. */
  async forget(host: HostName): Promise<void> {
    await this.#redis.hdel(KEY, nameOf(host));
  }

  /** The right to take over a host's work, for a while; false while somebody else has it. */
  async beginTakeover(host: HostName, forMs: number): Promise<boolean> {
    const key = `${keyPrefix(host.workspace)}:takeover:${host.host}`;
    return (await this.#redis.set(key, "1", "PX", forMs, "NX")) === "OK";
  }

  /** Those heard of in the last month, in the order of their workspaces. */
  async list(nowMs: number): Promise<Heartbeat[]> {
    const all = Object.values(await this.#redis.hgetall(KEY)).flatMap((text) => readBeat(text));
    const old = all.filter(({ atMs }) => atMs < nowMs - FORGOTTEN_MS);
    if (old.length > 0) await this.#redis.hdel(KEY, ...old.map(nameOf));
    const known = all.filter((beat) => !old.includes(beat));
    return known.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  }
}

function nameOf({ workspace, host }: HostName): string {
  return `${workspace}/${host}`;
}

function readBeat(text: string): Heartbeat[] {
  const read = heartbeat.safeParse(parseJson(text)).data;
  return read === undefined ? [] : [read];
}
