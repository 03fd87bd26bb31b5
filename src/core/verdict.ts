import type { RunEnd } from "./outcome.ts";

/** What becomes of a task after a run. */
export type Verdict =
  | { readonly kind: "done" }
  | { readonly kind: "failed" }
  | { readonly kind: "cancelled" }
  /** Once more, after a while, as another attempt. */
  | { readonly kind: "retry"; readonly delayMs: number }
  /** Once more, as the same attempt, when the pool is no longer held. */
  | { readonly kind: "held"; readonly hold: Hold };

/** The latest moment that a date can name. */
export const FOREVER_MS = 8.64e15;

/** Why the pool waits, and until when, in ms since the epoch. */
export interface Hold {
  readonly kind: "limit" | "login" | "manual";
  readonly sinceMs: number;
  /** FOREVER_MS = until somebody ends it. */
  readonly untilMs: number;
  readonly message: string;
}

export interface EndedRun {
  readonly end: RunEnd;
  /** Counting this run. */
  readonly attempt: number;
  readonly attempts: number;
  /** The pause before the second attempt; each later one is four times as long. */
  readonly backoffMs: number;
  /** When the account's limit resets, where Claude Code has said so. */
  readonly resetsAtMs: number | null;
}

/** Claude Code itself starts again a little after the reset; so do we. */
const AFTER_RESET_MS = 60_000;
/** The text of a reset leaves out the seconds, and clocks differ. */
const JUST_NOW_MS = 2 * 60_000;
/** The longest limits are weekly. */
const LONGEST_LIMIT_MS = 8 * 24 * 60 * 60_000;
/** A limit that does not say when it ends is tried again this often. */
const UNKNOWN_RESET_MS = 15 * 60_000;
/** A login that a person has to mend is tried again this often. */
const LOGIN_RETRY_MS = 5 * 60_000;
const MAX_BACKOFF_MS = 10 * 60_000;
/** API errors that stay however often one asks. */
const PERMANENT = ["invalid_request", "model_not_found"];

/** Decides after a run: ends that say nothing about the task never cost it an attempt. */
export function judge(run: EndedRun, nowMs: number): Verdict {
  const { end, resetsAtMs } = run;
  switch (end.kind) {
    case "finished":
      return { kind: "done" };
    case "cancelled":
      return { kind: "cancelled" };
    case "limited":
      return held("limit", end.message, nowMs, untilReset(resetsAtMs, nowMs));
    case "unauthorised":
      return held("login", `${end.error}: ${end.message}`, nowMs, nowMs + LOGIN_RETRY_MS);
    case "blocked":
    case "needs-attention":
    case "interrupted":
    case "left":
      return { kind: "failed" };
    case "api-error":
      return PERMANENT.includes(end.error) ? { kind: "failed" } : again(run);
    case "not-submitted":
    case "crashed":
    case "timed-out":
      return again(run);
  }
}

function again({ attempt, attempts, backoffMs }: EndedRun): Verdict {
  if (attempt >= attempts) return { kind: "failed" };
  return { kind: "retry", delayMs: Math.min(backoffMs * 4 ** (attempt - 1), MAX_BACKOFF_MS) };
}

function held(kind: Hold["kind"], message: string, sinceMs: number, untilMs: number): Verdict {
  return { kind: "held", hold: { kind, message, sinceMs, untilMs } };
}

/** A reset that is long over, or further away than any limit lasts, says that the clock or the text was misread; one that has just been may not be in force yet. */
function untilReset(resetsAtMs: number | null, nowMs: number): number {
  const isKnown = resetsAtMs !== null && resetsAtMs > nowMs - JUST_NOW_MS && resetsAtMs < nowMs + LONGEST_LIMIT_MS;
  return isKnown ? Math.max(resetsAtMs, nowMs) + AFTER_RESET_MS : nowMs + UNKNOWN_RESET_MS;
}
