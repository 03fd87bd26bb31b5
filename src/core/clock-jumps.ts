/** Less than this is a clock that is being corrected, not one that was set. */
const NOTICEABLE_MS = 2_000;

/**
 * Tells how far the wall clock was set: it and the steady clock, which nobody sets, then went on differently. A machine
 * that slept shows as the same.
 */
export class ClockJumps {
  #offsetMs: number | null = null;

  /** How far it was set since the last call, in ms; less than 0 for back. `nowMs` is what it says now. */
  takeMs(nowMs: number): number {
    const offsetMs = nowMs - performance.now();
    const jumpMs = offsetMs - (this.#offsetMs ?? offsetMs);
    if (this.#offsetMs !== null && Math.abs(jumpMs) < NOTICEABLE_MS) return 0;
    this.#offsetMs = offsetMs;
    return jumpMs;
  }
}
