import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
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

/** What a workspace did in the last day, over all its hosts. It is for people: a crash may leave a little out. */
export class History implements Service {
  readonly #redis: RedisClient;
  readonly #prefix: string;
  /** The slots that nobody adds to any more. */
  #closed: ReadonlyMap<number, Slot> = new Map();

  constructor({ address, workspace, onError }: WorkspaceRedis) {
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
    const read = await this.#readSlots(times.filter((atMs) => !this.#closed.has(atMs)));
    const slots = times.flatMap((atMs) => this.#closed.get(atMs) ?? read.get(atMs) ?? []);
    this.#closed = new Map(slots.filter(({ atMs }) => atMs < last - SLOT_MS).map((slot) => [slot.atMs, slot]));
    return slots;
  }

  async #readSlots(times: readonly number[]): Promise<Map<number, Slot>> {
    const pipeline = this.#redis.pipeline();
    for (const atMs of times) pipeline.hmget(this.#key(atMs), ...SUMS);
    const answers = (await pipeline.exec()) ?? [];
    return new Map(
      times.map((atMs, index) => {
        const [error, values] = answers[index] ?? [];
        if (error) throw error;
        return [atMs, slotOf(atMs, values)];
      }),
    );
  }

  #key(atMs: number): string {
    return `${this.#prefix}:${atMs}`;
  }
}

function slotAt(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS) * SLOT_MS;
}

function slotOf(atMs: number, values: unknown): Slot {
  const [done = 0, failed = 0, busy = 0, sessions = 0] = Array.isArray(values) ? values.map(Number) : [];
  return { atMs, done, failed, busy, sessions };
}
