import { setTimeout as sleep } from "node:timers/promises";
import { coalesce } from "../core/coalesce.ts";
import type { Service } from "../core/service.ts";
import type { Fetcher } from "../queue/fetcher.ts";
import type { LocalPayload } from "../queue/payload.ts";
import type { PoolHold } from "./pool-hold.ts";
import type { LocalRuns } from "./run/local-runs.ts";
import type { Pool } from "./tmux/pool.ts";

export interface TmuxWorkerOptions {
  readonly fetcher: Fetcher<LocalPayload>;
  readonly pool: Pool;
  readonly hold: PoolHold;
  readonly runs: LocalRuns;
  readonly onError: (error: unknown) => void;
}

/** How often free sessions and waiting jobs are matched while some wait: for sessions that people free. */
const POLL_MS = 1_000;
/** How often otherwise: for what nobody told us of, as Redis was away. */
const IDLE_POLL_MS = 2_000;
/** How often missing sessions are made when no job asks for one. */
const RECONCILE_MS = 60_000;
/** How often it is made sure that the jobs at hand are still ours, and that those that are ours are at hand. */
const LOST_MS = 10_000;
/** How long a step of a run may take between a job and its run. */
const STRAY_MS = 1_000;
/** How long a run that is being finished may hold up a stop: the next start goes on with it. */
const STOP_MS = 1_000;

/** Reserves free sessions first and then fetches a job for each, so that it never holds a job it cannot run. */
export class TmuxWorker implements Service {
  readonly #options: TmuxWorkerOptions;
  /** Makes good what Redis has lost or got wrong of our jobs. */
  readonly setRight = coalesce(() => this.#setRightOnce());
  readonly #fill = coalesce(() => this.#fillOnce());
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[] = [];
  /** No session was left at the last look: more jobs are no reason for another. */
  #isFull = false;
  #isPending = true;

  constructor(options: TmuxWorkerOptions) {
    this.#options = options;
  }

  /** Goes on with the runs of an earlier daemon, then takes jobs. */
  async start(): Promise<void> {
    if (this.#timers.length > 0) return;
    const { fetcher, pool, hold, runs, onError } = this.#options;
    await hold.load();
    await pool.reconcile();
    for (const run of await runs.recover(await fetcher.takeBack(), this.#abort.signal)) this.#follow(run);
    fetcher.onWork(() => !this.#isFull && this.#wake());
    this.#timers.push(setInterval(() => this.#isPending && this.#wake(), POLL_MS));
    this.#timers.push(setInterval(() => this.#wake(), IDLE_POLL_MS));
    this.#timers.push(setInterval(() => void pool.reconcile().catch(onError), RECONCILE_MS));
    this.#timers.push(setInterval(() => void this.setRight().catch(onError), LOST_MS));
    this.#wake();
  }

  /** Takes no more jobs. The agents go on without us: the next daemon adopts them. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#abort.abort();
    await this.#fill.settled();
    await Promise.race([Promise.all(this.#running), sleep(STOP_MS, undefined, { ref: false })]);
    await this.#options.pool.leave().catch(this.#options.onError);
  }

  async #setRightOnce(): Promise<void> {
    const { runs } = this.#options;
    await runs.giveUpLost();
    if (!(await runs.putBackStrays())) return;
    await sleep(STRAY_MS, undefined, { signal: this.#abort.signal }).catch(() => {});
    if (!this.#abort.signal.aborted) await runs.putBackStrays();
  }

  /** Starts as many waiting jobs as there are free sessions and the hold allows. */
  async #fillOnce(): Promise<void> {
    const { fetcher, pool, hold, runs } = this.#options;
    if (this.#abort.signal.aborted) return;
    this.#isFull = false;
    if (hold.allow(1) === 0) return;
    const waiting = await fetcher.pending();
    this.#isPending = waiting > 0;
    const pending = hold.allow(waiting);
    if (pending === 0) return;
    const sessions = await pool.reserve(pending);
    const isFull = sessions.length < pending;
    try {
      for (let session = sessions[0]; session !== undefined; session = sessions[0]) {
        const job = await fetcher.fetch();
        if (job === null) return;
        sessions.shift();
        hold.launched(job.id);
        this.#follow(runs.execute(job, session, this.#abort.signal));
      }
      this.#isFull = isFull;
    } finally {
      for (const unused of sessions) pool.free(unused);
    }
  }

  /** A run that is over has freed its session: somebody may wait for it. */
  #follow(run: Promise<void>): void {
    const followed = run.catch(this.#options.onError).finally(() => {
      this.#running.delete(followed);
      this.#wake();
    });
    this.#running.add(followed);
  }

  #wake(): void {
    if (!this.#abort.signal.aborted) this.#fill().catch(this.#options.onError);
  }
}
