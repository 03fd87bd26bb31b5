import { type Job, WaitingError, Worker } from "bullmq";
import { asError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { keyPrefix } from "./names.ts";

/** A job of a killed daemon is handed out again after about this long: what a processor does may be repeated. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
const NEVER = 1_000_000;

export interface QueueOptions extends WorkspaceRedis {
  readonly queue: string;
}

export interface ProcessorOptions<Item> extends QueueOptions {
  /** How many jobs are dealt with at once, at most. */
  readonly batch: number;
  /** What a job says; what it throws fails the job. */
  readonly read: (id: string, data: unknown) => Item;
  /** Deals with jobs, in their order; what it throws fails them all. The signal aborts when the daemon stops. */
  readonly process: (items: readonly Item[], signal: AbortSignal) => Promise<void>;
}

/** Deals with the jobs of one queue in their order; it can be asked to end. */
export class Processor<Item> implements Service {
  readonly #options: ProcessorOptions<Item>;
  readonly #abort = new AbortController();
  #redis: RedisClient | null = null;
  #worker: Worker | null = null;
  /** Grows while there is more to do, so that a job that comes alone waits for no look at what there is besides. */
  #batch = 1;

  constructor(options: ProcessorOptions<Item>) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#worker !== null) return;
    const { address, workspace, queue, onError } = this.#options;
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    this.#worker = new Worker(queue, (job, token) => this.#process(job, token ?? ""), {
      connection: this.#redis,
      prefix: keyPrefix(workspace),
      // BullMQ begins jobs that are dealt with side by side in any order: those of a batch are fetched by the first.
      concurrency: 1,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
    });
    this.#worker.on("error", onError);
    this.#worker.on("drained", () => {
      this.#batch = 1;
    });
    await this.#worker.waitUntilReady();
  }

  /** The jobs at hand are asked to end, and wait again if they were not over. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#worker?.close();
    this.#worker = null;
    this.#redis?.disconnect();
    this.#redis = null;
  }

  async #process(first: Job, token: string): Promise<void> {
    const others = await this.#fetchMore(token);
    const errors = await this.#dealWith([first, ...others]);
    await Promise.all(others.map((job) => this.#end(job, token, errors.get(job))));
    const error = errors.get(first);
    if (error === undefined) return;
    if (!this.#abort.signal.aborted) throw error;
    await first.moveToWait(token);
    throw new WaitingError();
  }

  /** The jobs that come after the one at hand. */
  async #fetchMore(token: string): Promise<Job[]> {
    const wanted = Array.from({ length: this.#batch - 1 });
    this.#batch = Math.min(2 * this.#batch, this.#options.batch);
    const fetched = await Promise.all(wanted.map(() => this.#fetch(token)));
    return fetched.filter((job) => job !== undefined);
  }

  /** One that BullMQ cannot read keeps none of the others. */
  async #fetch(token: string): Promise<Job | undefined> {
    try {
      return await this.#worker?.getNextJob(token, { block: false });
    } catch (error) {
      this.#options.onError(asError(error));
      return undefined;
    }
  }

  /** What went wrong, with which of them. */
  async #dealWith(jobs: readonly Job[]): Promise<Map<Job, Error>> {
    const { read, process } = this.#options;
    const errors = new Map<Job, Error>();
    const items = jobs.flatMap((job) => {
      try {
        return [read(job.id ?? "", job.data)];
      } catch (error) {
        errors.set(job, asError(error));
        return [];
      }
    });
    try {
      await process(items, this.#abort.signal);
    } catch (error) {
      for (const job of jobs) if (!errors.has(job)) errors.set(job, asError(error));
    }
    return errors;
  }

  /** One whose lock is lost is handed out again. */
  async #end(job: Job, token: string, error: Error | undefined): Promise<void> {
    try {
      if (error === undefined) await job.moveToCompleted(null, token, false);
      else if (this.#abort.signal.aborted) await job.moveToWait(token);
      else await job.moveToFailed(error, token, false);
    } catch (failure) {
      this.#options.onError(asError(failure));
    }
  }
}
