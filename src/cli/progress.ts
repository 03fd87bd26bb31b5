import { formatDuration } from "../core/duration.ts";
import { cleanLine } from "./clean.ts";
import { cutToWidth } from "./fit-width.ts";
import { screenOf } from "./screen.ts";

const FIRST_AFTER_MS = 1_000;
const EACH_MS = 1_000;

/**
 * Does something that may take long, and says on a terminal how long it has taken so far. Writes nothing where stderr
 * is no terminal, or where it is over within a second.
 */
export async function withProgress<T>(what: string, work: () => Promise<T>): Promise<T> {
  const progress = new Progress(what);
  try {
    return await work();
  } finally {
    progress.stop();
  }
}

/** One line on stderr that tells that the command still waits, and for what. */
export class Progress {
  readonly #what: string;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout | null;
  #isShown = false;

  constructor(what: string) {
    this.#what = cleanLine(what);
    this.#timer = process.stderr.isTTY ? setInterval(() => this.#show(), EACH_MS) : null;
    this.#timer?.unref();
  }

  /** Takes the line away, so that others can write. It comes back by itself. */
  clear(): void {
    if (this.#isShown) process.stderr.write("\r\u001B[K");
    this.#isShown = false;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.clear();
  }

  #show(): void {
    const elapsedMs = performance.now() - this.#startedMs;
    if (elapsedMs < FIRST_AFTER_MS) return;
    const elapsed = ` … ${formatDuration(elapsedMs)}`;
    const { columns } = screenOf(process.stderr);
    // A line that is wrapped could not be taken away.
    const what = cutToWidth(this.#what, columns === null ? null : columns - elapsed.length - 1);
    process.stderr.write(`\r\u001B[K${what}${elapsed}`);
    this.#isShown = true;
  }
}
