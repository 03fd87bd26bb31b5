import { coalesce } from "../core/coalesce.ts";
import type { Service } from "../core/service.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import type { RunStore } from "./run/store.ts";

/** How often is looked for what was kept long enough, at most and at least. */
const SELDOM_MS = 60 * 60_000;
const OFTEN_MS = 1_000;

export interface RetentionOptions {
  readonly store: RunStore;
  readonly queues: TaskQueues;
  /** How long jobs and run directories are kept once they are over. */
  readonly retention: { readonly jobsMs: number; readonly runsMs: number };
  readonly onError: (error: unknown) => void;
}

/** Removes the jobs and the run directories that were kept for as long as is configured. */
export class Retention implements Service {
  readonly runOnce = coalesce(() => this.#prune());
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#timer !== null) return;
    const { onError, retention } = this.#options;
    const everyMs = Math.max(OFTEN_MS, Math.min(SELDOM_MS, retention.jobsMs / 2, retention.runsMs / 2));
    this.#timer = setInterval(() => void this.runOnce().catch(onError), everyMs);
    await this.runOnce();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer ?? undefined);
    this.#timer = null;
  }

  async #prune(): Promise<void> {
    const { store, queues, retention } = this.#options;
    await store.prune(retention.runsMs);
    await queues.prune();
  }
}
