import { type Job, Queue, UnrecoverableError, WaitingError, Worker } from "bullmq";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { keyPrefix } from "./names.ts";

export const NOTIFICATIONS_QUEUE = "notifications";

/** A delivery of a killed daemon is tried again after about this long. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
const NEVER = 1_000_000;
/** One target that hangs must not keep the others waiting. */
const CONCURRENCY = 4;

/** How often a delivery is tried, and the pause before the second try; each later one is up to twice as long. */
export interface Tries {
  readonly attempts: number;
  readonly delayMs: number;
}

/** A little over an hour at most: 30 s, 1 min, 2 min … 32 min, each shortened by up to a half by chance. */
const TRIES: Tries = { attempts: 8, delayMs: 30_000 };
const JITTER = 0.5;

/** What came of one try: `refused` is not tried again. `why` is shown to people, so it holds no secret. */
export type Delivery =
  | { readonly kind: "delivered" }
  | { readonly kind: "again"; readonly why: string }
  | { readonly kind: "refused"; readonly why: string };

export interface DeliveryJob {
  /** The same at each try. A job whose id is known already is not added. */
  readonly id: string;
  readonly data: unknown;
}

export interface NotificationQueueOptions extends WorkspaceRedis {
  /** How long jobs that are over are kept. */
  readonly retentionMs: number;
  readonly tries?: Tries | undefined;
  /** Tries once. The signal aborts when the daemon stops: what was not delivered by then is tried again. */
  readonly deliver: (job: DeliveryJob, signal: AbortSignal) => Promise<Delivery>;
  /** Told once of each job that is not tried again. */
  readonly onGivenUp: (job: DeliveryJob, tries: number, why: string) => void;
}

/** Keeps what has to be told until it is delivered, over restarts too. */
export class NotificationQueue implements Service {
  readonly #options: NotificationQueueOptions;
  readonly #abort = new AbortController();
  readonly #adding = new Set<Promise<unknown>>();
  #redis: RedisClient | null = null;
  #queue: Queue | null = null;
  #worker: Worker | null = null;

  constructor(options: NotificationQueueOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#redis !== null) return;
    const { address, workspace, onError } = this.#options;
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    const shared = { connection: this.#redis, prefix: keyPrefix(workspace) };
    this.#queue = new Queue(NOTIFICATIONS_QUEUE, shared);
    this.#queue.on("error", onError);
    this.#worker = new Worker(NOTIFICATIONS_QUEUE, (job, token) => this.#process(job, token), {
      ...shared,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
    });
    this.#worker.on("error", onError);
    this.#worker.on("failed", (job, { message }) => this.#failed(job, message));
    await this.#worker.waitUntilReady();
  }

  /** What was added is in Redis, and deliveries under way are cut short: they wait again. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all([this.#worker?.close(), ...this.#adding]);
    await this.#queue?.close();
    this.#worker = null;
    this.#queue = null;
    this.#redis?.disconnect();
    this.#redis = null;
  }

  /** Returns at once: whoever has something to tell does not wait for Redis. `name` is for people. */
  add(jobs: readonly (DeliveryJob & { readonly name: string })[]): void {
    const { tries: { attempts, delayMs } = TRIES, retentionMs, onError } = this.#options;
    const age = Math.round(retentionMs / 1_000);
    const backoff = { type: "exponential", delay: delayMs, jitter: JITTER };
    const kept = { removeOnComplete: { age }, removeOnFail: { age } };
    const entries = jobs.map(({ id, name, data }) => ({ name, data, opts: { jobId: id, attempts, backoff, ...kept } }));
    const added = (this.#queue?.addBulk(entries) ?? Promise.resolve([])).catch(onError);
    this.#adding.add(added);
    void added.finally(() => this.#adding.delete(added));
  }

  async #process(job: Job, token: string | undefined): Promise<void> {
    const { signal } = this.#abort;
    const delivery = await this.#options.deliver({ id: job.id ?? "", data: job.data }, signal);
    if (delivery.kind === "delivered") return;
    if (delivery.kind === "again" && signal.aborted) {
      await job.moveToWait(token);
      throw new WaitingError();
    }
    throw delivery.kind === "refused" ? new UnrecoverableError(delivery.why) : new Error(delivery.why);
  }

  #failed(job: Job | undefined, why: string): void {
    // One that is tried again has not finished.
    if (job?.finishedOn === undefined) return;
    this.#options.onGivenUp({ id: job.id ?? "", data: job.data }, job.attemptsMade, why);
  }
}
