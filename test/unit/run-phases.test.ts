import { describe, expect, test } from "vitest";
import type { RunEnd } from "../../src/core/outcome.ts";
import type { HookEvent } from "../../src/workers/claude/hook-event.ts";
import { afterEvent, afterLook, dueMs, type Look, type Phase } from "../../src/workers/claude/phase.ts";

const TAG = "[run kabcdefghi-1]";
/** When the phase began, when the event came, and when the look was taken. */
const SINCE = 1_000_000;
const EVENT_AT = SINCE + 500;
const LIMITS = { promptTimeoutMs: 30_000, timeoutMs: 7_200_000 };

const PHASES = {
  launching: { name: "launching", sinceMs: SINCE },
  ready: { name: "ready", sinceMs: SINCE },
  running: { name: "running", sinceMs: SINCE },
  stopped: { name: "stopped", sinceMs: SINCE, message: "All green." },
  ended: { name: "ended", sinceMs: SINCE, end: { kind: "interrupted" } },
} satisfies Record<string, Phase>;
type PhaseName = keyof typeof PHASES;

const common = { session_id: "3f2a9c1e-1111-4222-8333-444455556666" };
const stop = (pending: { background_tasks?: unknown[]; session_crons?: unknown[] } = {}): HookEvent => ({
  ...common,
  hook_event_name: "Stop",
  last_assistant_message: "Done.",
  background_tasks: [],
  session_crons: [],
  ...pending,
});
const failure = (error: string): HookEvent => ({
  ...common,
  hook_event_name: "StopFailure",
  error,
  last_assistant_message: "Sorry.",
});
const prompt = (text: string): HookEvent => ({ ...common, hook_event_name: "UserPromptSubmit", prompt: text });

const EVENTS = {
  "SessionStart startup": { ...common, hook_event_name: "SessionStart", source: "startup" },
  "SessionStart compact": { ...common, hook_event_name: "SessionStart", source: "compact" },
  "UserPromptSubmit of our prompt": prompt(`${TAG}\nDo it.`),
  "UserPromptSubmit of another": prompt("<task-notification>…"),
  Stop: stop(),
  "Stop with a background task": stop({ background_tasks: [{ id: "b1" }] }),
  "Stop with a scheduled prompt": stop({ session_crons: [{ id: "c1" }] }),
  "StopFailure rate_limit": failure("rate_limit"),
  "StopFailure authentication_failed": failure("authentication_failed"),
  "StopFailure oauth_org_not_allowed": failure("oauth_org_not_allowed"),
  "StopFailure server_error": failure("server_error"),
  SessionEnd: { ...common, hook_event_name: "SessionEnd", reason: "other" },
} satisfies Record<string, HookEvent>;
type EventName = keyof typeof EVENTS;

/** A phase that an event leads to, or = for the one before. */
type Next = "=" | "ready" | "running" | "stopped" | RunEnd["kind"];

describe("a hook event", () => {
  const message = "Sorry.";
  const ends: Partial<Record<Next, RunEnd>> = {
    limited: { kind: "limited", message },
    unauthorised: { kind: "unauthorised", message },
    "api-error": { kind: "api-error", error: "server_error", message },
  };

  function phaseAfter(before: Phase, next: Next): Phase {
    const end = ends[next];
    if (end !== undefined) return { name: "ended", sinceMs: EVENT_AT, end };
    if (next === "ready" || next === "running") return { name: next, sinceMs: EVENT_AT };
    return next === "stopped" ? { name: "stopped", sinceMs: EVENT_AT, message: "Done." } : before;
  }

  const table: [EventName, Record<PhaseName, Next>][] = [
    ["SessionStart startup", { launching: "ready", ready: "=", running: "=", stopped: "=", ended: "=" }],
    ["SessionStart compact", { launching: "ready", ready: "=", running: "=", stopped: "=", ended: "=" }],
    [
      "UserPromptSubmit of our prompt",
      { launching: "running", ready: "running", running: "running", stopped: "running", ended: "=" },
    ],
    ["UserPromptSubmit of another", { launching: "=", ready: "=", running: "running", stopped: "running", ended: "=" }],
    ["Stop", { launching: "=", ready: "=", running: "stopped", stopped: "stopped", ended: "=" }],
    ["Stop with a background task", { launching: "=", ready: "=", running: "running", stopped: "running", ended: "=" }],
    [
      "Stop with a scheduled prompt",
      { launching: "=", ready: "=", running: "running", stopped: "running", ended: "=" },
    ],
    ["StopFailure rate_limit", { launching: "=", ready: "=", running: "limited", stopped: "limited", ended: "=" }],
    [
      "StopFailure authentication_failed",
      { launching: "=", ready: "=", running: "unauthorised", stopped: "unauthorised", ended: "=" },
    ],
    [
      "StopFailure oauth_org_not_allowed",
      { launching: "=", ready: "=", running: "unauthorised", stopped: "unauthorised", ended: "=" },
    ],
    [
      "StopFailure server_error",
      { launching: "=", ready: "=", running: "api-error", stopped: "api-error", ended: "=" },
    ],
    ["SessionEnd", { launching: "=", ready: "=", running: "=", stopped: "=", ended: "=" }],
  ];

  const rows = table.flatMap(([event, nexts]) =>
    Object.entries(nexts).map(([before, next]) => ({ event, before, next, phase: phaseNamed(before) })),
  );

  test("has a row for every event in every phase", () => {
    expect(rows).toHaveLength(Object.keys(EVENTS).length * Object.keys(PHASES).length);
  });

  test.each(rows)("$event, $before: $next", ({ event, phase, next }) => {
    expect(afterEvent(phase, EVENTS[event], EVENT_AT, TAG)).toEqual(phaseAfter(phase, next));
  });

  test("of our prompt is known by its tag, not by another run's", () => {
    const other = prompt("[run kabcdefghi-2]\nDo it.");
    expect(afterEvent(PHASES.ready, other, EVENT_AT, TAG)).toBe(PHASES.ready);
  });
});

function phaseNamed(name: string): Phase {
  const phase = Object.values(PHASES).find((each) => each.name === name);
  if (phase === undefined) throw new Error(`no phase ${name}`);
  return phase;
}

describe("a look", () => {
  /** A look at a living agent that just moved, so many ms into the phase. */
  const living = (inPhaseMs: number, more: Partial<Look> = {}): Look => ({
    atMs: SINCE + inPhaseMs,
    alive: true,
    exitCode: null,
    status: null,
    statusSinceMs: 0,
    waitingFor: null,
    movedAtMs: SINCE + inPhaseMs,
    ...more,
  });
  const status = (name: Look["status"], inPhaseMs: number, more: Partial<Look> = {}) =>
    living(inPhaseMs, { status: name, statusSinceMs: SINCE, ...more });

  const LOOKS = {
    "alive, no status file": living(29_999),
    "alive at the prompt's deadline": living(30_000),
    "alive past the prompt's deadline": living(30_001),
    "busy for an hour": status("busy", 3_600_000),
    "with a background shell": status("shell", 10_000),
    "idle after 999 ms": status("idle", 999),
    "idle after 1 s": status("idle", 1_000),
    "idle for 3 s": status("idle", 3_000),
    "idle for more than 3 s": status("idle", 3_001),
    "waiting for 3 s": status("waiting", 3_000, { waitingFor: "permission" }),
    "waiting for more than 3 s": status("waiting", 3_001, { waitingFor: "permission" }),
    "waiting for nobody knows what": status("waiting", 3_001),
    "idle since long before the prompt": status("idle", 2_000, { statusSinceMs: SINCE - 60_000 }),
    "idle only just, long after the prompt": status("idle", 60_000, { statusSinceMs: SINCE + 58_000 }),
    "busy and silent for 2 h": status("busy", 7_200_000, { movedAtMs: SINCE }),
    "busy and silent for more than 2 h": status("busy", 7_200_001, { movedAtMs: SINCE }),
    "busy for a day, moving": status("busy", 86_400_000),
    "gone with exit code 0": living(10, { alive: false, exitCode: 0 }),
    "gone with exit code 137": living(10, { alive: false, exitCode: 137 }),
    "gone without a code": living(10, { alive: false }),
    "its exit file there, its process still ending": living(10, { exitCode: 1 }),
    "gone, its status file left behind": status("idle", 10, { alive: false }),
  } satisfies Record<string, Look>;

  const blocked = (waitedMs: number): RunEnd => ({ kind: "blocked", waitedMs });
  const unsubmitted = (waitedMs: number): RunEnd => ({ kind: "not-submitted", waitedMs });
  const attention = (waitingFor: string): RunEnd => ({ kind: "needs-attention", waitingFor });
  const crashed = (exitCode: number | null): RunEnd => ({ kind: "crashed", exitCode });
  const timedOut: RunEnd = { kind: "timed-out", silentMs: 7_200_001 };
  const finished: RunEnd = { kind: "finished", message: "All green." };
  const interrupted: RunEnd = { kind: "interrupted" };
  /** Neither launching nor ready reads the status: only their deadline counts, and whether the agent lives. */
  const late = (waitedMs: number) => ({ launching: blocked(waitedMs), ready: unsubmitted(waitedMs) });
  const soon = { launching: null, ready: null };
  const gone = (exitCode: number | null) => ({
    launching: crashed(exitCode),
    ready: crashed(exitCode),
    running: crashed(exitCode),
    stopped: finished,
  });

  /** How the run ends, by the phase before; null = it goes on as it is. */
  const table: [keyof typeof LOOKS, Record<Exclude<PhaseName, "ended">, RunEnd | null>][] = [
    ["alive, no status file", { ...soon, running: null, stopped: finished }],
    ["alive at the prompt's deadline", { ...soon, running: null, stopped: finished }],
    ["alive past the prompt's deadline", { ...late(30_001), running: null, stopped: finished }],
    ["busy for an hour", { ...late(3_600_000), running: null, stopped: null }],
    ["with a background shell", { ...soon, running: null, stopped: null }],
    ["idle after 999 ms", { ...soon, running: null, stopped: null }],
    ["idle after 1 s", { ...soon, running: null, stopped: finished }],
    ["idle for 3 s", { ...soon, running: null, stopped: finished }],
    ["idle for more than 3 s", { ...soon, running: interrupted, stopped: finished }],
    ["waiting for 3 s", { ...soon, running: null, stopped: null }],
    ["waiting for more than 3 s", { ...soon, running: attention("permission"), stopped: null }],
    ["waiting for nobody knows what", { ...soon, running: attention("unknown"), stopped: null }],
    ["idle since long before the prompt", { ...soon, running: null, stopped: finished }],
    ["idle only just, long after the prompt", { ...late(60_000), running: null, stopped: finished }],
    ["busy and silent for 2 h", { ...late(7_200_000), running: null, stopped: null }],
    ["busy and silent for more than 2 h", { ...late(7_200_001), running: timedOut, stopped: timedOut }],
    ["busy for a day, moving", { ...late(86_400_000), running: null, stopped: null }],
    ["gone with exit code 0", gone(0)],
    ["gone with exit code 137", gone(137)],
    ["gone without a code", gone(null)],
    ["its exit file there, its process still ending", gone(1)],
    ["gone, its status file left behind", gone(null)],
  ];

  const rows = table.flatMap(([look, ends]) =>
    Object.entries(ends).map(([before, end]) => ({ look, before, end, kind: end?.kind ?? "goes on" })),
  );

  test("has a row for every look in every phase that is not over", () => {
    expect(rows).toHaveLength(Object.keys(LOOKS).length * (Object.keys(PHASES).length - 1));
  });

  test.each(rows)("$look, $before: $kind", ({ look, before, end }) => {
    const phase = phaseNamed(before);
    const expected = end === null ? phase : { name: "ended", sinceMs: LOOKS[look].atMs, end };
    expect(afterLook(phase, LOOKS[look], LIMITS)).toEqual(expected);
  });

  test.each(Object.entries(LOOKS))("changes nothing once the run has ended: %s", (_what, look) => {
    expect(afterLook(PHASES.ended, look, LIMITS)).toBe(PHASES.ended);
  });
});

describe("time alone ends", () => {
  test.each([
    [0, 1_000],
    [1, 999],
    [999, 1],
  ])("a stop, %d ms after it, in %d ms", (sinceMs, due) => {
    expect(dueMs(PHASES.stopped, SINCE + sinceMs)).toBe(due);
  });

  test("a stop that has settled, yet is kept open by the agent's status, no more: a look at once would never pause", () => {
    expect(dueMs(PHASES.stopped, SINCE + 60_000)).not.toBe(0);
  });

  test.each([PHASES.launching, PHASES.ready, PHASES.running, PHASES.ended])("no other phase soon: $name", (phase) => {
    expect(dueMs(phase, SINCE)).toBeNull();
  });
});
