import type { RunEnd } from "../../core/outcome.ts";
import type { HookEvent } from "./hook-event.ts";
import type { Input, Look, Need, Phase, PhaseLimits, Rules, Stopped } from "./phase.ts";
import { isSettled } from "./settling.ts";

/** How long the end of an agent that has stopped is put off for a person who is typing, and may go on with it. */
const PUT_OFF_MS = 5 * 60_000;
/** How long a status must stand that says a person is needed: it also passes by between two steps. */
const STANDS_MS = 3_000;
/** Errors that only a person can mend, and that every other task would meet too. */
const LOGIN_ERRORS = [
  "authentication_failed",
  "oauth_org_not_allowed",
  "account_on_hold",
  "verification_required",
  "billing_error",
  "cloud_credential_error",
];

/** The one way from a phase to the next. */
export function transition(phase: Phase, input: Input, { tag, limits }: Rules): Phase {
  return input.kind === "event"
    ? afterEvent(phase, input.event, input.atMs, tag)
    : afterLook(phase, input.look, limits);
}

function afterEvent(phase: Phase, event: HookEvent, atMs: number, tag: string): Phase {
  if (phase.name === "ended") return phase;
  switch (event.hook_event_name) {
    case "SessionStart":
      return isBeforeStart(phase) ? { name: "ready", sinceMs: atMs } : phase;
    case "UserPromptSubmit":
      // Before ours, only ours counts; after it, a background task or a person may go on with the session.
      return isBefore(phase) && !event.prompt.includes(tag) ? phase : { name: "running", sinceMs: atMs };
    case "Stop":
      return isBefore(phase) ? phase : afterStop(event, atMs);
    case "StopFailure":
      return isBefore(phase) ? phase : ended(atMs, stopFailure(event.error, event.last_assistant_message));
    case "SessionEnd":
      return event.reason === "prompt_input_exit" && phase.name !== "stopped" ? ended(atMs, { kind: "left" }) : phase;
  }
}

/** A Stop with work left in the background is none: the agent will wake up again. */
function afterStop(event: Extract<HookEvent, { hook_event_name: "Stop" }>, atMs: number): Phase {
  const left = event.background_tasks.length + event.session_crons.length;
  if (left > 0) return { name: "background", sinceMs: atMs };
  return { name: "stopped", sinceMs: atMs, message: event.last_assistant_message };
}

function afterLook(phase: Phase, look: Look, limits: PhaseLimits): Phase {
  if (phase.name !== "ended" && look.cancelled) return ended(look.atMs, { kind: "cancelled" });
  if (phase.name !== "ended" && (look.exitCode !== null || !look.alive)) return afterItsEnd(phase, look);
  switch (phase.name) {
    case "launching":
      return isOver(phase, look, limits.promptTimeoutMs) ? attention(look, { kind: "dialog" }) : phase;
    case "ready":
      return isOver(phase, look, limits.promptTimeoutMs)
        ? ended(look.atMs, { kind: "not-submitted", waitedMs: look.atMs - phase.sinceMs })
        : phase;
    case "running":
      return whileRunning(phase, look, limits);
    case "background":
      return look.status === "waiting" && stands(phase, look) ? question(look, null) : timedOut(phase, look, limits);
    case "stopped":
      return whileStopped(phase, look, limits);
    case "attention":
      return whileWaiting(phase, look, limits);
    case "ended":
      return phase;
  }
}

/** One that has stopped was finished then, however long it was still there. */
function afterItsEnd(phase: Phase, { movedAtMs, lastAliveMs, exitCode }: Look): Phase {
  const movedMs = Math.max(phase.sinceMs, movedAtMs);
  return phase.name === "stopped"
    ? ended(movedMs, { kind: "finished", message: phase.message })
    : ended(Math.max(movedMs, lastAliveMs), { kind: "crashed", exitCode });
}

/** A status that stands although the turn goes on says that a person is needed, or was there. */
function whileRunning(phase: Phase, look: Look, limits: PhaseLimits): Phase {
  if (look.status === "waiting" && stands(phase, look)) return question(look, null);
  if (look.status === "idle" && stands(phase, look)) return attention(look, { kind: "interrupted" });
  return timedOut(phase, look, limits);
}

function whileStopped(phase: Stopped, look: Look, limits: PhaseLimits): Phase {
  if (look.status === "waiting" && stands(phase, look)) return question(look, phase);
  const isQuiet = look.status === "idle" || look.status === null;
  if (!isQuiet || !isSettled(phase, look, look.atMs)) return timedOut(phase, look, limits);
  if (look.typedIn && look.atMs - phase.sinceMs < PUT_OFF_MS) return phase;
  return ended(phase.sinceMs, { kind: "finished", message: phase.message });
}

/** A dialog ends with an event; a question or an interruption also when the agent is busy again. */
function whileWaiting(phase: Extract<Phase, { name: "attention" }>, look: Look, limits: PhaseLimits): Phase {
  if (phase.need.kind !== "dialog" && (look.status === "busy" || look.status === "shell"))
    return { name: "running", sinceMs: look.atMs };
  if (phase.need.kind === "question" && phase.need.stopped !== null && look.status !== "waiting")
    return { ...phase.need.stopped, sinceMs: look.atMs };
  const waitedMs = look.atMs - phase.sinceMs;
  return waitedMs > limits.attentionTimeoutMs ? ended(look.atMs, endOfNeed(phase.need, waitedMs)) : phase;
}

function endOfNeed(need: Need, waitedMs: number): RunEnd {
  switch (need.kind) {
    case "dialog":
      return { kind: "blocked", waitedMs };
    case "question":
      return { kind: "needs-attention", waitingFor: need.waitingFor, waitedMs };
    case "interrupted":
      return { kind: "interrupted", waitedMs };
  }
}

function timedOut(phase: Phase, look: Look, limits: PhaseLimits): Phase {
  const silentMs = look.atMs - look.movedAtMs;
  return silentMs > limits.timeoutMs ? ended(look.atMs, { kind: "timed-out", silentMs }) : phase;
}

function isOver(phase: Phase, look: Look, limitMs: number): boolean {
  return look.atMs - phase.sinceMs > limitMs;
}

/** Whether Claude Code has no session yet: it is starting, or shows a dialog. */
function isBeforeStart(phase: Phase): boolean {
  return phase.name === "launching" || (phase.name === "attention" && phase.need.kind === "dialog");
}

/** Whether our prompt was not taken yet. */
function isBefore(phase: Phase): boolean {
  return isBeforeStart(phase) || phase.name === "ready";
}

function stopFailure(error: string, message: string): RunEnd {
  if (error === "rate_limit") return { kind: "limited", message };
  return LOGIN_ERRORS.includes(error)
    ? { kind: "unauthorised", error, message }
    : { kind: "api-error", error, message };
}

/** Whether the status has been what it is for longer than between two steps. */
function stands(phase: Phase, look: Look): boolean {
  return look.atMs - Math.max(look.statusSinceMs, phase.sinceMs) > STANDS_MS;
}

function question(look: Look, stopped: Stopped | null): Phase {
  return attention(look, { kind: "question", waitingFor: look.waitingFor ?? "a question", stopped });
}

function attention(look: Look, need: Need): Phase {
  return { name: "attention", sinceMs: look.atMs, need };
}

function ended(sinceMs: number, end: RunEnd): Phase {
  return { name: "ended", sinceMs, end };
}
