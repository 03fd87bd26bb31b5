import type { TaskEvent, TaskEvents } from "../core/events.ts";
import type { Hold } from "../core/verdict.ts";

/** Something that just happened: a step of a task, or a hold of the pool or its end (null). */
export type LiveEvent =
  | { readonly kind: "task"; readonly event: TaskEvent }
  | { readonly kind: "hold"; readonly hold: Hold | null };

export interface LiveEventsOptions {
  readonly tasks: TaskEvents;
  /** Told of a listener that failed: neither the queue nor the other listeners notice. */
  readonly onError: (error: unknown) => void;
}

/** What happens in the daemon, for those who watch. */
export class LiveEvents {
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<(event: LiveEvent) => void>();

  constructor({ tasks, onError }: LiveEventsOptions) {
    this.#onError = onError;
    tasks.on((event) => this.#tell({ kind: "task", event }));
  }

  /** To be called when the pool is held, when a hold changes, and when it is over (null). */
  hold(hold: Hold | null): void {
    this.#tell({ kind: "hold", hold });
  }

  /** Returns what ends it. */
  subscribe(listener: (event: LiveEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How many watch. */
  get watchers(): number {
    return this.#listeners.size;
  }

  #tell(event: LiveEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
