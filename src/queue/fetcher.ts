import { Job, Queue, QueueEvents, Worker } from "bullmq";
import type { z } from "zod";
import { asError, messageOf } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { readJobFields } from "./job-fields.ts";
import { keyPrefix } from "./names.ts";
import { type DelegatedPayload, type Ending, type LocalPayload, readPayload } from "./payload.ts";
import { type Holder, holdWaiting, type Standing, standingOf } from "./standing.ts";

/**
 * Outlasts whatever keeps a host away: a job is never handed out twice because time went by. What a host held that
 * will not come back is taken over by name.
 */
const LOCK_MS = 30 * 24 * 60 * 60_000;
const RENEW_MS = 60_000;
const STALLED_CHECK_MS = 30_000;
/** How often a job counts as stalled before BullMQ gives it up: never, attempts are ours to count. */
const NEVER = 1_000_000;
const SECOND_MS = 1_000;

/** What BullMQ says of a job that is gone, or whose lock is. */
const NOT_OURS = /^Missing (key|lock) for job|^Lock mismatch for job|is not in the active state/;

/** A job that was fetched and is held. */
export interface FetchedJob<Payload> {
  readonly id: string;
  readonly payload: Payload;
  /** How often the job was handed out so far, this time included. */
  readonly start: number;
}

/** What Redis says of a job. */
type RawJob = Pick<Job, "id" | "data" | "attemptsStarted">;

export type LocalJob = FetchedJob<LocalPayload>;
export type DelegatedJob = FetchedJob<DelegatedPayload>;

export interface FetcherOptions<Payload> extends WorkspaceRedis {
  readonly queue: string;
  readonly payload: z.ZodType<Payload>;
  /** Names the holder for ever: whoever bears it takes the jobs of the one before back at once. */
  readonly token: string;
  /** Jobs handed out in a second at most, over all hosts. */
  readonly ratePerSecond?: number;
}

/** Takes jobs of one queue, one at a time and only when asked, and holds their locks for as long as it takes. */
export class Fetcher<Payload> implements Service {
  readonly #options: FetcherOptions<Payload>;
  readonly #redis: RedisClient;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #events: QueueEvents;
  /** Who holds what, and where. */
  readonly #held: Holder;
  #renewal: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: FetcherOptions<Payload>) {
    this.#options = options;
    this.#redis = connect(options.address);
    const shared = { connection: this.#redis, prefix: keyPrefix(options.workspace) };
    this.#queue = new Queue(options.queue, shared);
    this.#worker = new Worker(options.queue, null, {
      ...shared,
      autorun: false,
      name: options.token,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      ...(options.ratePerSecond === undefined ? {} : { limiter: { max: options.ratePerSecond, duration: SECOND_MS } }),
    });
    this.#events = new QueueEvents(options.queue, shared);
    this.#held = { queue: this.#queue, redis: this.#redis, token: options.token };
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

  /** Stops fetching. The locks stay: the next bearer of the token goes on with these jobs. */
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

  /** The most urgent job, now held, or null when none waits or the rate is reached. */
  async fetch(): Promise<FetchedJob<Payload> | null> {
    const job: Job | undefined = await this.#worker.getNextJob(this.#options.token, { block: false });
    if (job === undefined) return null;
    try {
      return this.#read(job);
    } catch (error) {
      await job.moveToFailed(asError(error), this.#options.token, false);
      return null;
    }
  }

  /** Takes hold again of the jobs that an earlier bearer of the token held. */
  async takeBack(): Promise<FetchedJob<Payload>[]> {
    const jobs = await Promise.all((await this.#activeIds()).map((id) => Job.fromId(this.#worker, id)));
    const taken = await Promise.all(
      jobs.map(async (job) =>
        job && (await job.extendLock(this.#options.token, LOCK_MS)) > 0 ? this.#readAny(job) : [],
      ),
    );
    return taken.flat();
  }

  /** How a run's job stands with us. */
  async standing(id: string, run: string): Promise<Standing> {
    return await standingOf(this.#held, id, run);
  }

  /** Takes a job that waits out of turn, as the start of this number. False when it waits no more. */
  async hold(id: string, start: number): Promise<boolean> {
    return await holdWaiting(this.#held, id, { start, lockMs: LOCK_MS });
  }

  /** A job that is not over, as Redis knows it now. */
  async find(id: string): Promise<FetchedJob<Payload> | null> {
    const job: Job | undefined = await Job.fromId(this.#worker, id);
    return job === undefined || job.finishedOn !== undefined ? null : this.#read(job);
  }

  /** How many jobs are out now, whoever fetched them. */
  async activeCount(): Promise<number> {
    return await this.#queue.getActiveCount();
  }

  /** The jobs that are out now, whoever fetched them. */
  async active(): Promise<FetchedJob<Payload>[]> {
    const ids = await this.#activeIds();
    const keys = ids.map((id) => this.#queue.toKey(id));
    const rows = await readJobFields(this.#redis, keys, ["data", "ats"]);
    return ids.flatMap((id, index) => {
      const [data, start] = rows[index] ?? [];
      const isThere = typeof data === "string";
      return isThere ? this.#readAny({ id, data: parseJson(data), attemptsStarted: Number(start ?? 0) }) : [];
    });
  }

  /** The job is over, and its task done or cancelled. */
  async complete(id: string, result: Ending): Promise<void> {
    await this.#try(id, (job) => job.moveToCompleted(result, this.#options.token, false));
  }

  /** The job goes: its task has another one. */
  async discard(id: string): Promise<void> {
    await this.#try(id, async (job) => {
      await job.moveToCompleted(null, this.#options.token, false);
      await job.remove();
    });
  }

  /** The job is over and its task failed. */
  async fail(id: string, error: Error, ending: Ending): Promise<void> {
    await this.#try(id, async (job) => {
      await job.updateData({ ...job.data, ending });
      await job.moveToFailed(error, this.#options.token, false);
    });
  }

  /** Notes something on a job that is held. */
  async amend(id: string, changes: Partial<Payload>): Promise<void> {
    await this.#try(id, async (job) => await job.updateData({ ...job.data, ...changes }));
  }

  /** The job was not run: it waits again where it was, or from `delayMs` on. */
  async putBack(id: string, delayMs = 0): Promise<void> {
    const { token } = this.#options;
    await this.#try(id, (job) =>
      delayMs > 0 ? job.moveToDelayed(Date.now() + delayMs, token) : job.moveToWait(token),
    );
  }

  /** One that cannot be read is reported, and keeps none of the others. */
  #readAny(job: RawJob): FetchedJob<Payload>[] {
    try {
      return [this.#read(job)];
    } catch (error) {
      this.#options.onError(asError(error));
      return [];
    }
  }

  #read(job: RawJob): FetchedJob<Payload> {
    const id = job.id ?? "";
    return { id, payload: readPayload(this.#options.payload, id, job.data), start: job.attemptsStarted };
  }

  /** A job that Redis has lost, or handed out again, is not ours to change: the file and its claim decide. */
  async #try(id: string, change: (job: Job) => Promise<unknown>): Promise<void> {
    try {
      const job: Job | undefined = await Job.fromId(this.#worker, id);
      if (job !== undefined) await change(job);
    } catch (error) {
      if (!NOT_OURS.test(messageOf(error))) throw error;
      this.#options.onError(asError(error));
    }
  }

  /** Locks with another token are left as they are. */
  async #renew(): Promise<void> {
    const ids = await this.#activeIds();
    const tokens = ids.map(() => this.#options.token);
    if (ids.length > 0) await this.#worker.extendJobLocks(ids, tokens, LOCK_MS);
  }

  async #activeIds(): Promise<string[]> {
    // Without the bounds, BullMQ gives the first two.
    return await this.#queue.getRanges(["active"], 0, -1);
  }
}
