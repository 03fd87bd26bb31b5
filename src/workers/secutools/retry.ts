import { setTimeout as sleep } from "node:timers/promises";
import type { SecutoolsError } from "./error.ts";

/** How often something is tried, and the pauses between: up to `baseMs` after the first try, then twice as long each. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** What a try came to. */
export type Outcome<T> =
  | { readonly kind: "value"; readonly value: T }
  /** It may go better next time, but not before the error's `afterMs`. */
  | { readonly kind: "again"; readonly error: SecutoolsError }
  /** Taken, as far as one can tell, but the answer makes no sense. */
  | { readonly kind: "garbled"; readonly error: SecutoolsError }
  | { readonly kind: "failed"; readonly error: SecutoolsError };

/** A platform that asks for more is asked again all the same. */
const MAX_RETRY_AFTER_MS = 300_000;
/** What the last question of a wait has for its answer, however little time is left. */
const LAST_MS = 1_000;

/** Tries until there is a value. @throws {QueueError} the last try's, when none is left or another one makes no sense */
export async function retried<T>(
  policy: RetryPolicy,
  signal: AbortSignal,
  attempt: () => Promise<Outcome<T>>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await attempt();
    if (outcome.kind === "value") return outcome.value;
    if (outcome.kind !== "again" || tries >= policy.attempts) throw outcome.error;
    await sleep(pauseMs(policy, tries, outcome.error.afterMs), undefined, { signal });
  }
}

/** The pause after so many tries: as long as is asked for, and a random part on top, so that many do not come at once. */
export function pauseMs({ baseMs, maxMs }: RetryPolicy, tries: number, afterMs: number): number {
  return afterMs + Math.random() * Math.min(maxMs, baseMs * 2 ** (tries - 1));
}

/** What a Retry-After header asks for, in ms: seconds or a date; 0 where it says nothing, and never more than 5 min. */
export function retryAfterMs(header: string, nowMs: number): number {
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : untilDate(header, nowMs);
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** HTTP knows dates in GMT only; Date.parse would see one in almost anything. */
function untilDate(header: string, nowMs: number): number {
  const atMs = header.endsWith(" GMT") ? Date.parse(header) : Number.NaN;
  return Number.isNaN(atMs) ? 0 : atMs - nowMs;
}

/**
 * Asks again and again until an answer will do, or the time is over: then the last one has to. Each attempt is told how
 * long it may take.
 * @throws {QueueError} when `attempts` tries in a row, or the last one, had no answer; or one came that makes no sense
 */
export async function polled<T>(
  { policy, pollMs, timeoutMs }: { readonly policy: RetryPolicy; readonly pollMs: number; readonly timeoutMs: number },
  signal: AbortSignal,
  attempt: (withinMs: number) => Promise<Outcome<T>>,
  willDo: (value: T) => boolean,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (let failures = 0; ; ) {
    const outcome = await attempt(Math.max(Math.ceil(endMs - performance.now()), LAST_MS));
    const leftMs = endMs - performance.now();
    if (outcome.kind === "value") {
      if (leftMs <= 0 || willDo(outcome.value)) return outcome.value;
      failures = 0;
      await sleep(Math.min(pollMs, leftMs), undefined, { signal });
    } else {
      failures += 1;
      const { kind, error } = outcome;
      if (kind !== "again" || failures >= policy.attempts || leftMs <= error.afterMs) throw error;
      await sleep(Math.min(pauseMs(policy, failures, error.afterMs), leftMs), undefined, { signal });
    }
  }
}
