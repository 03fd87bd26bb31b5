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
  /** The platform has asked to be left alone. */
  #pause = { fromMs: 0, untilMs: 0 };

  constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  /** The shortest time between two questions about one job. */
  get shortestMs(): number {
    return Math.min(FRESH_MS, this.#pollMs);
  }

  /** How long it is until a job is due, 0 when it is. A job that was never asked about is, but for a pause. */
  leftMs(id: string, submittedAtMs: number, nowMs: number): number {
    return Math.max(this.#waitLeftMs(id, submittedAtMs, nowMs), this.#pauseLeftMs(nowMs));
  }

  asked(id: string, nowMs: number): void {
    this.#askedAtMs.set(id, nowMs);
  }

  /** Nobody answered: nothing is known of it that would make it wait. */
  unanswered(id: string): void {
    this.#askedAtMs.delete(id);
  }

  /** Nothing is asked about for that long. A pause that is longer stays. */
  pause(forMs: number, nowMs: number): void {
    if (forMs > this.#pauseLeftMs(nowMs)) this.#pause = { fromMs: nowMs, untilMs: nowMs + forMs };
  }

  /** Forgets all jobs but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#askedAtMs.keys()) if (!ids.has(id)) this.#askedAtMs.delete(id);
  }

  #waitLeftMs(id: string, submittedAtMs: number, nowMs: number): number {
    const askedAtMs = this.#askedAtMs.get(id);
    // Asked in what is the future now: somebody has set the clock back.
    if (askedAtMs === undefined || askedAtMs > nowMs) return 0;
    const waitMs = (askedAtMs - submittedAtMs) / PART_OF_AGE;
    const bounded = Math.min(Math.max(waitMs, this.shortestMs), LONGEST * this.#pollMs);
    return Math.max(0, askedAtMs + bounded - nowMs);
  }

  /** Begun in what is the future now, it counts no more either. */
  #pauseLeftMs(nowMs: number): number {
    const { fromMs, untilMs } = this.#pause;
    return fromMs > nowMs ? 0 : Math.max(0, untilMs - nowMs);
  }
}
