import { Job, Queue, QueueEvents, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { messageOf } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisAddress } from "./connection.ts";
import { keyPrefix, LOCAL_QUEUE } from "./names.ts";
import { type LocalPayload, readLocalPayload } from "./payload.ts";

/** Long enough to outlast a restart of Redis or of the daemon, so that no job is handed out twice. */
const LOCK_MS = 10 * 60_000;
const RENEW_MS = 60_000;
const STALLED_CHECK_MS = 30_000;
/** How often a job counts as stalled before BullMQ gives it up: never, attempts are ours to count. */
const NEVER = 1_000_000;

/** What BullMQ says of a job that is gone, or whose lock is. */
const NOT_OURS = /^Missing (key|lock) for job|^Lock mismatch for job|is not in the active state/;

/** A job of the local queue that this host holds. */
export interface LocalJob {
  readonly id: string;
  readonly payload: LocalPayload;
  /** How often the job was handed out so far, this time included. */
  readonly start: number;
}

export interface HostFetcherOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  /** Names this host for ever: the token of its locks, so that the next daemon here takes its jobs back at once. */
  readonly host: string;
  readonly onError: (error: Error) => void;
}

/** Takes jobs of the local queue for this host, one at a time and only when asked, and holds their locks. */
export class HostFetcher implements Service {
  readonly #options: HostFetcherOptions;
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #events: QueueEvents;
  readonly #held = new Map<string, Job>();
  #renewal: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: HostFetcherOptions) {
    this.#options = options;
    this.#redis = connect(options.address);
    const shared = { connection: this.#redis, prefix: keyPrefix(options.workspace) };
    this.#queue = new Queue(LOCAL_QUEUE, shared);
    this.#worker = new Worker(LOCAL_QUEUE, null, {
      ...shared,
      autorun: false,
      name: options.host,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
    });
    this.#events = new QueueEvents(LOCAL_QUEUE, shared);
    this.#redis.on("error", options.onError);
    this.#queue.on("error", options.onError);
    this.#worker.on("error", options.onError);
    this.#events.on("error", options.onError);
  }

  async start(): Promise<void> {
    if (this.#renewal !== null) return;
    await Promise.all([this.#worker.waitUntilReady(), this.#events.waitUntilReady()]);
    await this.#worker.startStalledCheckTimer();
    this.#renewal = setInterval(() => void this.#renew().catch(this.#options.onError), RENEW_MS);
  }

  /** Stops fetching. The locks stay: the next daemon on this host goes on with these jobs. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#renewal ?? undefined);
    await Promise.all([this.#worker.close(), this.#events.close(), this.#queue.close()]);
    this.#redis.disconnect();
  }

  /** Calls back whenever a job may have become available. */
  onWork(listener: () => void): void {
    this.#events.on("waiting", listener);
    this.#events.on("delayed", listener);
  }

  /** How many jobs a fetch could return soon: waiting ones, and delayed ones that may be due. */
  async pending(): Promise<number> {
    return await this.#queue.getJobCountByTypes("waiting", "prioritized", "delayed");
  }

  /** The most urgent job, now held by this host, or null when none waits. */
  async fetch(): Promise<LocalJob | null> {
    const job: Job | undefined = await this.#worker.getNextJob(this.#options.host, { block: false });
    if (job === undefined) return null;
    try {
      return this.#hold(job);
    } catch (error) {
      await job.moveToFailed(asError(error), this.#options.host, false);
      return null;
    }
  }

  /** Takes hold again of the jobs that an earlier daemon on this host held. */
  async takeBack(): Promise<LocalJob[]> {
    const active = await this.#queue.getActive();
    const jobs = await Promise.all(active.map(({ id = "" }) => Job.fromId(this.#worker, id)));
    const taken = await Promise.all(
      jobs.map(async (job) =>
        job && (await job.extendLock(this.#options.host, LOCK_MS)) > 0 ? [this.#hold(job)] : [],
      ),
    );
    return taken.flat();
  }

  /** The job is over and its task done. */
  async complete(id: string, result: unknown): Promise<void> {
    await this.#release(id, (job) => job.moveToCompleted(result, this.#options.host, false));
  }

  /** The job is over and its task failed. */
  async fail(id: string, error: Error): Promise<void> {
    await this.#release(id, (job) => job.moveToFailed(error, this.#options.host, false));
  }

  /** Notes something on a job that is held, before it waits again. */
  async amend(id: string, changes: Partial<Pick<LocalPayload, "attempts" | "resume">>): Promise<void> {
    await this.#try(id, async (job) => await job.updateData({ ...job.data, ...changes }));
  }

  /** The job was not run: it waits again where it was, or from `delayMs` on. */
  async putBack(id: string, delayMs = 0): Promise<void> {
    await this.#release(id, (job) =>
      delayMs > 0 ? job.moveToDelayed(Date.now() + delayMs, this.#options.host) : job.moveToWait(this.#options.host),
    );
  }

  #hold(job: Job): LocalJob {
    const id = job.id ?? "";
    this.#held.set(id, job);
    return { id, payload: readLocalPayload(id, job.data), start: job.attemptsStarted };
  }

  async #release(id: string, move: (job: Job) => Promise<unknown>): Promise<void> {
    await this.#try(id, move);
    this.#held.delete(id);
  }

  /** A job that Redis has lost, or handed out again, is not ours to change: the file and its claim decide. */
  async #try(id: string, change: (job: Job) => Promise<unknown>): Promise<void> {
    const job = this.#held.get(id);
    if (job === undefined) return;
    try {
      await change(job);
    } catch (error) {
      if (!NOT_OURS.test(messageOf(error))) throw error;
      this.#options.onError(asError(error));
    }
  }

  async #renew(): Promise<void> {
    const ids = [...this.#held.keys()];
    if (ids.length > 0)
      await this.#worker.extendJobLocks(
        ids,
        ids.map(() => this.#options.host),
        LOCK_MS,
      );
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
