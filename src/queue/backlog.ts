import type { Queue } from "bullmq";
import type { RedisClient } from "./connection.ts";
import { OldestWaiting } from "./oldest-waiting.ts";

/** What stands in a queue. */
export interface Backlog {
  readonly waiting: number;
  readonly active: number;
  /** Put off: a retry, or a file that was being changed. */
  readonly delayed: number;
  /** When the oldest of the waiting was enqueued, in ms since the epoch; null when none waits. */
  readonly oldestAtMs: number | null;
}

type QueueName = "inbox" | "local" | "delegated";

/** What stands in each queue. */
export class Backlogs {
  readonly #readers: Readonly<Record<QueueName, BacklogReader>>;

  constructor({ inbox, local, delegated }: Readonly<Record<QueueName, Queue>>, redis: RedisClient) {
    const reader = (queue: Queue) => new BacklogReader(queue, redis);
    this.#readers = { inbox: reader(inbox), local: reader(local), delegated: reader(delegated) };
  }

  async read(): Promise<Record<QueueName, Backlog>> {
    const { inbox, local, delegated } = this.#readers;
    const found = await Promise.all([inbox.read(), local.read(), delegated.read()]);
    return { inbox: found[0], local: found[1], delegated: found[2] };
  }
}

/** Counts a queue's jobs. */
class BacklogReader {
  readonly #queue: Queue;
  readonly #oldest: OldestWaiting;

  constructor(queue: Queue, redis: RedisClient) {
    this.#queue = queue;
    this.#oldest = new OldestWaiting(queue, redis);
  }

  async read(): Promise<Backlog> {
    const counts = await this.#queue.getJobCounts("waiting", "prioritized", "active", "delayed");
    const waiting = (counts["waiting"] ?? 0) + (counts["prioritized"] ?? 0);
    return {
      waiting,
      active: counts["active"] ?? 0,
      delayed: counts["delayed"] ?? 0,
      oldestAtMs: waiting === 0 ? null : await this.#oldest.read(),
    };
  }
}
