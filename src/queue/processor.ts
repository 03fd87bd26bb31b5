import { type Job, WaitingError, Worker } from "bullmq";
import type { Service } from "../core/service.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";
import { keyPrefix } from "./names.ts";

/** A job of a killed daemon is handed out again after about this long: what a processor does may be repeated. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
const NEVER = 1_000_000;

export interface ProcessorOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  readonly queue: string;
  /** Deals with one job; what it throws fails the job. The signal aborts when the daemon stops. */
  readonly process: (job: { readonly id: string; readonly data: unknown }, signal: AbortSignal) => Promise<void>;
  readonly onError: (error: Error) => void;
}

/** Deals with the jobs of one queue, one after the other; each can be asked to end. */
export class Processor implements Service {
  readonly #options: ProcessorOptions;
  readonly #abort = new AbortController();
  #redis: RedisClient | null = null;
  #worker: Worker | null = null;

  constructor(options: ProcessorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#worker !== null) return;
    const { address, workspace, queue, onError } = this.#options;
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    this.#worker = new Worker(queue, (job, token) => this.#process(job, token), {
      connection: this.#redis,
      prefix: keyPrefix(workspace),
      // BullMQ begins jobs that are dealt with side by side in any order.
      concurrency: 1,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
    });
    this.#worker.on("error", onError);
    await this.#worker.waitUntilReady();
  }

  /** The job at hand is asked to end, and waits again if it was not over. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#worker?.close();
    this.#worker = null;
    this.#redis?.disconnect();
    this.#redis = null;
  }

  async #process(job: Job, token: string | undefined): Promise<void> {
    if (!(await this.#isCutShort(job))) return;
    await job.moveToWait(token);
    throw new WaitingError();
  }

  /** True when our own stop ended the job before it was over. */
  async #isCutShort(job: Job): Promise<boolean> {
    const { signal } = this.#abort;
    try {
      await this.#options.process({ id: job.id ?? "", data: job.data }, signal);
      return false;
    } catch (error) {
      if (!signal.aborted) throw error;
      return true;
    }
  }
}
