import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { coalesce } from "../../core/coalesce.ts";

/** A part of a page that is replaced by itself: the element with that id. */
export interface Fragment {
  readonly id: string;
  readonly html: string;
}

interface Known {
  readonly html: string;
  /** The html without what the browser keeps up to date by itself. */
  readonly meaning: string;
  readonly version: number;
}

/** What changed, and the version by then. */
export interface Change {
  readonly version: number;
  readonly fragments: readonly Fragment[];
}

export interface LiveViewOptions<T> {
  readonly read: () => Promise<T>;
  readonly render: (data: T) => readonly Fragment[];
  /** What is shown when it cannot be read. */
  readonly onFailure: (error: unknown) => readonly Fragment[];
  /** How long to wait until it is read again, while somebody watches. */
  readonly pauseMs: (data: T | null) => number;
}

const TIME_TEXT = /(<time [^>]*>)[^<]*/g;

export function fragment(id: string, element: unknown): Fragment {
  return { id, html: String(element) };
}

/**
 * One page's data, read once in a while for everyone who watches it, and not at all while nobody does.
 * A watcher asks for what changed since it last asked, so a slow one misses steps but never makes a heap of them.
 */
export class LiveView<T> {
  readonly #options: LiveViewOptions<T>;
  readonly #refresh: () => Promise<void>;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #known = new Map<string, Known>();
  #version = 0;
  #data: { readonly value: T; readonly atMs: number } | null = null;
  #watchers = 0;
  #isLooping = false;

  constructor(options: LiveViewOptions<T>) {
    this.#options = options;
    this.#refresh = coalesce(async () => await this.#readOnce());
  }

  get watchers(): number {
    return this.#watchers;
  }

  /** The data, not older than this, and its version. @throws whatever reading it throws */
  async snapshot(maxAgeMs: number): Promise<{ data: T; version: number }> {
    if (this.#data === null || performance.now() - this.#data.atMs > maxAgeMs) await this.#refresh();
    // What cannot be read is asked for again, for its error.
    const data = this.#data === null ? await this.#options.read() : this.#data.value;
    return { data, version: this.#version };
  }

  /** What changes from a version on, as often as the caller asks, until `signal` aborts. */
  async *watch(from: number, signal: AbortSignal): AsyncGenerator<Change> {
    this.#watchers++;
    try {
      void this.#loop();
      let seen = from;
      while (!signal.aborted) {
        const fragments = this.#since(seen);
        seen = this.#version;
        if (fragments.length > 0) yield { version: seen, fragments };
        else await once(this.#changes, "change", { signal }).catch(() => {});
      }
    } finally {
      this.#watchers--;
    }
  }

  async #loop(): Promise<void> {
    if (this.#isLooping) return;
    this.#isLooping = true;
    while (this.#watchers > 0) {
      await this.#refresh();
      await sleep(this.#options.pauseMs(this.#data?.value ?? null), undefined, { ref: false });
    }
    this.#isLooping = false;
  }

  async #readOnce(): Promise<void> {
    const { read, render, onFailure } = this.#options;
    try {
      const value = await read();
      this.#data = { value, atMs: performance.now() };
      this.#take(render(value));
    } catch (error) {
      this.#data = null;
      this.#take(onFailure(error));
    }
  }

  #take(fragments: readonly Fragment[]): void {
    const version = this.#version + 1;
    const changed = fragments.flatMap(({ id, html }): [string, Known][] => {
      const meaning = html.replace(TIME_TEXT, "$1");
      return this.#known.get(id)?.meaning === meaning ? [] : [[id, { html, meaning, version }]];
    });
    if (changed.length === 0) return;
    this.#known = new Map([...this.#known, ...changed]);
    this.#version = version;
    this.#changes.emit("change");
  }

  #since(version: number): Fragment[] {
    return [...this.#known].flatMap(([id, known]) => (known.version > version ? [{ id, html: known.html }] : []));
  }
}
