import type { Service } from "../core/service.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";
import { keyPrefix } from "./names.ts";

/** How much time one slot covers. */
export const SLOT_MS = 10 * 60_000;
/** How far back it can be read. */
const KEPT_MS = 24 * 60 * 60_000;

/** What is added up in each slot: tasks by how they ended, and how many sessions were seen, busy or not. */
const SUMS = ["done", "failed", "busy", "sessions"] as const;
export type Sums = Readonly<Record<(typeof SUMS)[number], number>>;

export interface Slot extends Sums {
  /** When it begins, in ms since the epoch. */
  readonly atMs: number;
}

export interface HistoryOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  readonly onError: (error: Error) => void;
}

/** What a workspace did in the last day, over all its hosts. It is for people: a crash may leave a little out. */
export class History implements Service {
  readonly #redis: RedisClient;
  readonly #prefix: string;

  constructor({ address, workspace, onError }: HistoryOptions) {
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    this.#prefix = `${keyPrefix(workspace)}:history`;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#redis.disconnect();
  }

  async add(sums: Partial<Sums>, nowMs: number): Promise<void> {
    const key = this.#key(slotAt(nowMs));
    const transaction = this.#redis.multi();
    for (const name of SUMS) if (sums[name]) transaction.hincrby(key, name, sums[name]);
    await transaction.pexpire(key, KEPT_MS + SLOT_MS).exec();
  }

  /** The last 24 hours, the oldest slot first, the one that is not over last. */
  async read(nowMs: number): Promise<Slot[]> {
    const last = slotAt(nowMs);
    const times = Array.from({ length: KEPT_MS / SLOT_MS }, (_, index) => last - index * SLOT_MS).reverse();
    const pipeline = this.#redis.pipeline();
    for (const atMs of times) pipeline.hmget(this.#key(atMs), ...SUMS);
    const answers = (await pipeline.exec()) ?? [];
    return times.map((atMs, index) => {
      const [done, failed, busy, sessions] = numbers(answers[index]?.[1]);
      return { atMs, done: done ?? 0, failed: failed ?? 0, busy: busy ?? 0, sessions: sessions ?? 0 };
    });
  }

  #key(atMs: number): string {
    return `${this.#prefix}:${atMs}`;
  }
}

function slotAt(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS) * SLOT_MS;
}

function numbers(values: unknown): number[] {
  return Array.isArray(values) ? values.map((value) => Number(value ?? 0)) : [];
}
