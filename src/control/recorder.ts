import { describeEvent } from "../core/describe-event.ts";
import type { TaskEvent, TaskEvents } from "../core/events.ts";
import type { Service } from "../core/service.ts";
import type { History, Sums } from "../queue/history.ts";
import type { Journal } from "../queue/journal.ts";
import type { Pool } from "../workers/tmux/pool.ts";

/** How often the sessions are counted. */
const SAMPLE_MS = 30_000;

export interface RecorderOptions {
  readonly events: TaskEvents;
  readonly journal: Journal;
  readonly history: History;
  readonly pool: Pool;
  readonly onError: (error: unknown) => void;
}

/** Keeps what operators look back at: each task's steps, and what the workspace did in the last day. */
export class Recorder implements Service {
  readonly #options: RecorderOptions;
  readonly #listener = (event: TaskEvent) => this.#record(event);
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#timer !== null) return;
    this.#options.events.on(this.#listener);
    this.#timer = setInterval(() => this.#sample().catch(this.#options.onError), SAMPLE_MS);
  }

  async stop(): Promise<void> {
    this.#options.events.off(this.#listener);
    clearInterval(this.#timer ?? undefined);
    this.#timer = null;
  }

  #record(event: TaskEvent): void {
    const { id, type } = event;
    // What was rejected at the door has no id.
    if (id !== "") this.#options.journal.note(id, { atMs: Date.now(), type, text: describeEvent(event) });
    if (type === "done") this.#add({ done: 1 });
    if (type === "failed" || type === "rejected") this.#add({ failed: 1 });
  }

  async #sample(): Promise<void> {
    const states = (await this.#options.pool.look()).map(({ state }) => state);
    const usable = states.filter((state) => state !== "missing" && state !== "in use");
    this.#add({ busy: usable.filter((state) => state === "busy").length, sessions: usable.length });
  }

  #add(sums: Partial<Sums>): void {
    this.#options.history.add(sums, Date.now()).catch(this.#options.onError);
  }
}
