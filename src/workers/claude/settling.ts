import type { Live, Phase, Stopped } from "./phase.ts";

/**
 * How long an agent must have been idle by its own word since a Stop, before that counts as the end: what a background
 * task has left wakes it up again. At a load of ten for each core it was idle for 340 ms at most before it woke.
 */
const IDLE_MS = 500;
/** The same, from the Stop on, where it has no such word. */
const SETTLE_MS = 1_000;
/** How often its word is looked for in that time. */
const WORD_MS = 100;

/** Whether nothing has followed a Stop for so long that it counts as the end. */
export function isSettled(phase: Phase, live: Live, nowMs: number): boolean {
  return phase.name === "stopped" && nowMs >= settledAtMs(phase, live);
}

/** Milliseconds until time alone could end the phase, where that is sooner than the next look. */
export function dueMs(phase: Phase, live: Live, nowMs: number): number | null {
  if (phase.name !== "stopped") return null;
  const leftMs = settledAtMs(phase, live) - nowMs;
  if (leftMs <= 0) return null;
  return isIdleSince(phase, live) ? leftMs : Math.min(leftMs, WORD_MS);
}

function settledAtMs(phase: Stopped, live: Live): number {
  return isIdleSince(phase, live) ? live.statusSinceMs + IDLE_MS : phase.sinceMs + SETTLE_MS;
}

function isIdleSince(phase: Stopped, { status, statusSinceMs }: Live): boolean {
  return status === "idle" && statusSinceMs >= phase.sinceMs;
}
