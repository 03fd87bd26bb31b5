import { Queue } from "bullmq";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient } from "./connection.ts";
import { keyPrefix } from "./names.ts";
import { Processor, type QueueOptions } from "./processor.ts";

export interface TicksOptions extends QueueOptions {
  readonly everyMs: number;
  /** Does the work of one tick; what it throws fails that tick only. */
  readonly tick: (signal: AbortSignal) => Promise<void>;
}

const SCHEDULER = "ticks";
const TICK = "tick";
/** Ticks tell nothing once they are over, unless something goes wrong. */
const KEPT = { removeOnComplete: { count: 10 }, removeOnFail: { count: 100 } };

/** A job scheduler: its ticks come at an interval, or sooner when asked for, and one at a time over all hosts. */
export class Ticks implements Service {
  readonly #options: TicksOptions;
  readonly #processor: Processor<null>;
  #redis: RedisClient | null = null;
  #queue: Queue | null = null;
  #watch: NodeJS.Timeout | null = null;

  constructor(options: TicksOptions) {
    this.#options = options;
    const { tick, ...queue } = options;
    this.#processor = new Processor({ ...queue, batch: 1, read: () => null, process: (_, signal) => tick(signal) });
  }

  async start(): Promise<void> {
    if (this.#queue !== null) return;
    const { address, workspace, queue, everyMs, onError } = this.#options;
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    this.#queue = new Queue(queue, { connection: this.#redis, prefix: keyPrefix(workspace) });
    this.#queue.on("error", onError);
    await this.#schedule();
    await this.#processor.start();
    this.#watch = setInterval(() => void this.#heal().catch(onError), everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch ?? undefined);
    await this.#processor.stop();
    await this.#queue?.close();
    this.#queue = null;
    this.#redis?.disconnect();
  }

  /** Asks for a tick now. Asking again before it begins changes nothing. */
  async now(): Promise<void> {
    await this.#queue?.add(TICK, {}, { ...KEPT, deduplication: { id: TICK } });
  }

  async #schedule(): Promise<void> {
    await this.#queue?.setGlobalConcurrency(1);
    await this.#queue?.upsertJobScheduler(SCHEDULER, { every: this.#options.everyMs }, { name: TICK, opts: KEPT });
  }

  /** Redis may have lost the schedule, and a host that slept may find it standing still. */
  async #heal(): Promise<void> {
    const scheduler = await this.#queue?.getJobScheduler(SCHEDULER);
    const { everyMs } = this.#options;
    const waitMs = (scheduler?.next ?? 0) - Date.now();
    // A clock that was set back leaves the next tick far ahead.
    const isAstray = waitMs < -everyMs || waitMs > 2 * everyMs;
    if (!isAstray || (scheduler !== undefined && (await this.#isBusy()))) return;
    await this.#queue?.removeJobScheduler(SCHEDULER);
    await this.#schedule();
  }

  /** The next tick waits for one that takes its time: to schedule another would only make the line longer. */
  async #isBusy(): Promise<boolean> {
    return ((await this.#queue?.getJobCountByTypes("waiting", "prioritized", "active")) ?? 0) > 0;
  }
}
