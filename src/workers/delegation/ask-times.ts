/** A job that was submitted a moment ago is asked about after this long, where the poll interval is not shorter. */
const FRESH_MS = 2_000;
/** A job is asked about again after this part of its age. */
const PART_OF_AGE = 5;
/** The longest wait, in poll intervals. */
const LONGEST = 10;

/** When to ask about which job: a fresh one soon, an old one less often. All times are in ms. */
export class AskTimes {
  readonly #pollMs: number;
  readonly #askedAtMs = new Map<string, number>();

  constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  /** The shortest time between two questions about one job. */
  get shortestMs(): number {
    return Math.min(FRESH_MS, this.#pollMs);
  }

  /** How long it is until a job is due, 0 when it is. A job that was never asked about is. */
  leftMs(id: string, submittedAtMs: number, nowMs: number): number {
    const askedAtMs = this.#askedAtMs.get(id);
    // Asked in what is the future now: somebody has set the clock back.
    if (askedAtMs === undefined || askedAtMs > nowMs) return 0;
    const waitMs = (askedAtMs - submittedAtMs) / PART_OF_AGE;
    const bounded = Math.min(Math.max(waitMs, this.shortestMs), LONGEST * this.#pollMs);
    return Math.max(0, askedAtMs + bounded - nowMs);
  }

  asked(id: string, nowMs: number): void {
    this.#askedAtMs.set(id, nowMs);
  }

  /** Forgets all jobs but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#askedAtMs.keys()) if (!ids.has(id)) this.#askedAtMs.delete(id);
  }
}
