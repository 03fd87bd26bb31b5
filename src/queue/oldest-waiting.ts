import type { Queue } from "bullmq";
import { slices } from "../core/slices.ts";
import type { RedisClient } from "./connection.ts";
import { readJobFields } from "./job-fields.ts";

/** A job that waited at the last look at all, or may come to. */
interface Candidate {
  readonly id: string;
  /** Its place among those that wait; null when it did not. */
  readonly score: string | null;
  readonly atMs: number;
}

/** Mostly, the very oldest still waits. */
const ASKED = 100;

/**
 * When the oldest of a queue's waiting jobs was enqueued, in ms since the epoch. All are looked at once. After that, the
 * first of them by age that has kept its place is the oldest: those enqueued later are younger, and one that is put back
 * was among them.
 */
export class OldestWaiting {
  readonly #queue: Queue;
  readonly #redis: RedisClient;
  /** The oldest first. */
  #candidates: readonly Candidate[] = [];

  constructor(queue: Queue, redis: RedisClient) {
    this.#queue = queue;
    this.#redis = redis;
  }

  /** null when none waits. */
  async read(): Promise<number | null> {
    for (const some of slices(this.#candidates, ASKED)) {
      const ids = some.map(({ id }) => id);
      const scores = await this.#redis.zmscore(this.#queue.toKey("prioritized"), ids);
      const index = scores.findIndex((score) => score !== null);
      if (index < 0) continue;
      const oldest = some[index];
      return oldest?.score === scores[index] && oldest !== undefined ? oldest.atMs : await this.#lookAtAll();
    }
    return await this.#lookAtAll();
  }

  async #lookAtAll(): Promise<number | null> {
    const key = (type: string) => this.#queue.toKey(type);
    const [ranked, delayed, active] = await Promise.all([
      this.#redis.zrange(key("prioritized"), 0, "-1", "WITHSCORES"),
      this.#redis.zrange(key("delayed"), 0, "-1"),
      this.#redis.lrange(key("active"), 0, -1),
    ]);
    const waiting = ranked.flatMap((id, index) => (index % 2 === 0 ? [{ id, score: ranked[index + 1] ?? null }] : []));
    const others = [...delayed, ...active].map((id) => ({ id, score: null }));
    const known = new Map(this.#candidates.map((candidate) => [`${candidate.id} ${candidate.score}`, candidate]));
    const all = [...waiting, ...others].map((one) => known.get(`${one.id} ${one.score}`) ?? one);
    const times = await this.#readTimes(all.flatMap((one) => ("atMs" in one ? [] : [one.id])));
    // One that went between the two looks has no time.
    this.#candidates = all
      .map((one) => ({ ...one, atMs: "atMs" in one ? one.atMs : (times.get(one.id) ?? Number.NaN) }))
      .filter(({ atMs }) => !Number.isNaN(atMs))
      .sort((a, b) => a.atMs - b.atMs);
    return this.#candidates.find(({ score }) => score !== null)?.atMs ?? null;
  }

  async #readTimes(ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await readJobFields(
      this.#redis,
      ids.map((id) => this.#queue.toKey(id)),
      ["timestamp"],
    );
    return new Map(ids.map((id, index) => [id, Number(rows[index]?.[0] ?? Number.NaN)]));
  }
}
