import type { RunEnd } from "../../core/outcome.ts";
import type { HookEvent } from "./hook-event.ts";

/** Where a run stands. `sinceMs` is when it got there, in ms since the epoch. */
export type Phase =
  | { readonly name: "launching"; readonly sinceMs: number }
  | { readonly name: "ready"; readonly sinceMs: number }
  | { readonly name: "running"; readonly sinceMs: number }
  | { readonly name: "stopped"; readonly sinceMs: number; readonly message: string }
  | { readonly name: "ended"; readonly sinceMs: number; readonly end: RunEnd };

/** What one look at the agent's process and files showed. */
export interface Look {
  readonly atMs: number;
  readonly alive: boolean;
  /** From the exit file; null while there is none. */
  readonly exitCode: number | null;
  /** Of Claude Code's live status file; null where there is none. */
  readonly status: "idle" | "busy" | "shell" | "waiting" | null;
  readonly statusSinceMs: number;
  readonly waitingFor: string | null;
  /** The last sign of life: an event, or a line in the transcript. */
  readonly movedAtMs: number;
}

/** The times that decide. */
export interface PhaseLimits {
  /** From the launch to the acceptance of the prompt. */
  readonly promptTimeoutMs: number;
  /** Without any sign of life. */
  readonly timeoutMs: number;
}

/** How long nothing may follow a Stop before it counts as the end: a background task would wake the agent again. */
const SETTLE_MS = 1_000;
/** How long an idle status must stand after a prompt without an end: Escape fires no hook at all. */
const INTERRUPTED_MS = 3_000;
/** How long a question must stand before it counts as one for a person. */
const ATTENTION_MS = 3_000;

/** The phase after a hook event of this run. `tag` is the needle that our prompt carries. */
export function afterEvent(phase: Phase, event: HookEvent, atMs: number, tag: string): Phase {
  if (phase.name === "ended") return phase;
  switch (event.hook_event_name) {
    case "SessionStart":
      return phase.name === "launching" ? { name: "ready", sinceMs: atMs } : phase;
    case "UserPromptSubmit":
      // Before ours, only ours counts; after it, a background task or a person may go on with the session.
      return isBefore(phase) && !event.prompt.includes(tag) ? phase : { name: "running", sinceMs: atMs };
    case "Stop":
      if (isBefore(phase)) return phase;
      return event.background_tasks.length + event.session_crons.length > 0
        ? { name: "running", sinceMs: atMs }
        : { name: "stopped", sinceMs: atMs, message: event.last_assistant_message };
    case "StopFailure":
      return isBefore(phase) ? phase : ended(atMs, stopFailure(event.error, event.last_assistant_message));
    case "SessionEnd":
      return phase;
  }
}

/** The phase after a look, once every event up to it was taken in. */
export function afterLook(phase: Phase, look: Look, limits: PhaseLimits): Phase {
  if (phase.name === "ended") return phase;
  const gone = look.exitCode !== null || !look.alive;
  const end = gone ? endOfGone(phase, look) : endOfLiving(phase, look, limits);
  return end === null ? phase : ended(look.atMs, end);
}

/** Milliseconds until time alone could end the phase, where that is sooner than the next look. */
export function dueMs(phase: Phase, nowMs: number): number | null {
  const leftMs = phase.name === "stopped" ? phase.sinceMs + SETTLE_MS - nowMs : 0;
  return leftMs > 0 ? leftMs : null;
}

function endOfGone(phase: Phase, look: Look): RunEnd {
  return phase.name === "stopped"
    ? { kind: "finished", message: phase.message }
    : { kind: "crashed", exitCode: look.exitCode };
}

function endOfLiving(phase: Phase, look: Look, limits: PhaseLimits): RunEnd | null {
  const inPhaseMs = look.atMs - phase.sinceMs;
  const silentMs = look.atMs - look.movedAtMs;
  switch (phase.name) {
    case "launching":
      return inPhaseMs > limits.promptTimeoutMs ? { kind: "blocked", waitedMs: inPhaseMs } : null;
    case "ready":
      return inPhaseMs > limits.promptTimeoutMs ? { kind: "not-submitted", waitedMs: inPhaseMs } : null;
    case "running":
      return endOfRunning(phase.sinceMs, look) ?? timedOut(silentMs, limits);
    case "stopped":
      return endOfStopped(phase.message, inPhaseMs, look) ?? timedOut(silentMs, limits);
    case "ended":
      return null;
  }
}

/** A status that stands although the turn goes on says that a person is needed, or was there. */
function endOfRunning(sinceMs: number, look: Look): RunEnd | null {
  const standsMs = look.atMs - Math.max(look.statusSinceMs, sinceMs);
  if (look.status === "waiting" && standsMs > ATTENTION_MS)
    return { kind: "needs-attention", waitingFor: look.waitingFor ?? "unknown" };
  return look.status === "idle" && standsMs > INTERRUPTED_MS ? { kind: "interrupted" } : null;
}

function endOfStopped(message: string, inPhaseMs: number, { status }: Look): RunEnd | null {
  const isQuiet = status === "idle" || status === null;
  return inPhaseMs >= SETTLE_MS && isQuiet ? { kind: "finished", message } : null;
}

function timedOut(silentMs: number, limits: PhaseLimits): RunEnd | null {
  return silentMs > limits.timeoutMs ? { kind: "timed-out", silentMs } : null;
}

/** Whether our prompt was not taken yet. */
function isBefore(phase: Phase): boolean {
  return phase.name === "launching" || phase.name === "ready";
}

function stopFailure(error: string, message: string): RunEnd {
  if (error === "rate_limit") return { kind: "limited", message };
  if (error === "authentication_failed" || error === "oauth_org_not_allowed") return { kind: "unauthorised", message };
  return { kind: "api-error", error, message };
}

function ended(sinceMs: number, end: RunEnd): Phase {
  return { name: "ended", sinceMs, end };
}
