import { setTimeout as sleep } from "node:timers/promises";
import { coalesce } from "../core/coalesce.ts";
import { taskKey } from "../core/id.ts";
import type { Service } from "../core/service.ts";
import type { DelegatedJob } from "../queue/fetcher.ts";
import { type DelegationParts, taskOf } from "./delegation/parts.ts";
import { submitTask } from "./delegation/submit.ts";

/** How often the queue is looked at while something waits: for jobs that the rate limit kept back. */
const POLL_MS = 500;
/** How often otherwise: for what nobody told us of, as Redis was away. */
const IDLE_POLL_MS = 2_000;
/** How soon a job is looked at again whose file is being submitted for a job that Redis has lost. */
const BUSY_RETRY_MS = 500;
/** How long a submit may hold up a stop: the next start repeats it under the same key. */
const STOP_MS = 1_000;

/** Hands waiting tasks to secutools, so many at once and so many in a second. */
export class DelegationWorker implements Service {
  readonly #parts: DelegationParts;
  readonly #fill = coalesce(() => this.#fillOnce());
  readonly #abort = new AbortController();
  /** By the file's key: no file is submitted twice at a time. */
  readonly #submitting = new Map<string, Promise<void>>();
  readonly #polls: NodeJS.Timeout[] = [];
  #isPending = true;
  /** The jobs that were being submitted at the last look, and not by us. */
  #strays: readonly string[] = [];

  constructor(parts: DelegationParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier daemon was submitting, then takes jobs. */
  async start(): Promise<void> {
    if (this.#polls.length > 0) return;
    const { fetcher } = this.#parts;
    for (const job of await fetcher.takeBack()) {
      if (job.payload.remote === null) this.#submit(job);
    }
    fetcher.onWork(() => this.#wake());
    this.#polls.push(setInterval(() => this.#isPending && this.#wake(), POLL_MS));
    this.#polls.push(setInterval(() => this.#wake(), IDLE_POLL_MS));
    this.#wake();
  }

  async stop(): Promise<void> {
    for (const poll of this.#polls.splice(0)) clearInterval(poll);
    this.#abort.abort();
    await this.#fill.settled();
    await Promise.race([Promise.all(this.#submitting.values()), sleep(STOP_MS, undefined, { ref: false })]);
  }

  /**
   * Goes on with jobs that are being submitted by nobody: a Redis that was set back knows nothing of how that ended. They
   * are known by two looks, as another host may be at it.
   */
  resume(unsent: readonly DelegatedJob[]): void {
    const strays = unsent.filter((job) => !this.#submitting.has(taskKey(taskOf(job))));
    for (const job of strays) if (this.#strays.includes(job.id)) this.#submit(job);
    this.#strays = strays.map(({ id }) => id);
  }

  async #fillOnce(): Promise<void> {
    const { fetcher, settings } = this.#parts;
    this.#isPending = (await fetcher.pending()) > 0;
    if (!this.#isPending) return;
    while (this.#submitting.size < settings.concurrency && !this.#abort.signal.aborted) {
      const job = await fetcher.fetch();
      if (job === null) return;
      const isBusy = this.#submitting.has(taskKey(taskOf(job)));
      if (isBusy) await fetcher.putBack(job.id, BUSY_RETRY_MS);
      else this.#submit(job);
    }
  }

  #submit(job: DelegatedJob): void {
    const key = taskKey(taskOf(job));
    const submitting = submitTask(this.#parts, job, this.#abort.signal)
      .catch(this.#parts.onError)
      .finally(() => {
        this.#submitting.delete(key);
        this.#wake();
      });
    this.#submitting.set(key, submitting);
  }

  #wake(): void {
    if (!this.#abort.signal.aborted) this.#fill().catch(this.#parts.onError);
  }
}
