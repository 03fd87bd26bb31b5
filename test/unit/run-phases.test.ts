import { describe, expect, test } from "vitest";
import type { RunEnd } from "../../src/core/outcome.ts";
import type { HookEvent } from "../../src/workers/claude/hook-event.ts";
import type { Live, Look, Need, Phase, PhaseLimits } from "../../src/workers/claude/phase.ts";
import { dueMs, isSettled } from "../../src/workers/claude/settling.ts";
import { transition } from "../../src/workers/claude/transition.ts";

const TAG = "[run kabcdefghi-1]";
/** When the phase began, when the event came, and when the look was taken. */
const SINCE = 1_000_000;
const EVENT_AT = SINCE + 500;
const HOUR = 3_600_000;
const LIMITS = { promptTimeoutMs: 30_000, timeoutMs: 2 * HOUR, attentionTimeoutMs: HOUR };
const QUESTION: Need = { kind: "question", waitingFor: "permission", stopped: null };

const afterEvent = (phase: Phase, event: HookEvent, atMs: number, tag: string): Phase =>
  transition(phase, { kind: "event", event, atMs }, { tag, limits: LIMITS });
const afterLook = (phase: Phase, look: Look, limits: PhaseLimits): Phase =>
  transition(phase, { kind: "look", look }, { tag: TAG, limits });

const STOPPED = { name: "stopped", sinceMs: SINCE, message: "All green." } as const;

/** Every phase, that of attention once for each need. The tables below have their columns in this order. */
const PHASES = {
  launching: { name: "launching", sinceMs: SINCE },
  ready: { name: "ready", sinceMs: SINCE },
  running: { name: "running", sinceMs: SINCE },
  stopped: STOPPED,
  dialog: { name: "attention", sinceMs: SINCE, need: { kind: "dialog" } },
  question: { name: "attention", sinceMs: SINCE, need: QUESTION },
  interrupted: { name: "attention", sinceMs: SINCE, need: { kind: "interrupted" } },
  ended: { name: "ended", sinceMs: SINCE, end: { kind: "left" } },
} satisfies Record<string, Phase>;
const { ended: OVER, ...GOING_ON } = PHASES;

const common = { session_id: "3f2a9c1e-1111-4222-8333-444455556666" };
const stop = (pending: { background_tasks?: unknown[]; session_crons?: unknown[] } = {}): HookEvent => ({
  ...common,
  hook_event_name: "Stop",
  last_assistant_message: "Done.",
  background_tasks: [],
  session_crons: [],
  ...pending,
});
const start = (source: string): HookEvent => ({ ...common, hook_event_name: "SessionStart", source });
const prompt = (text: string): HookEvent => ({ ...common, hook_event_name: "UserPromptSubmit", prompt: text });
const sessionEnd = (reason: string): HookEvent => ({ ...common, hook_event_name: "SessionEnd", reason });
const failure = (error: string): HookEvent => ({
  ...common,
  hook_event_name: "StopFailure",
  error,
  last_assistant_message: "Sorry.",
});

const endedAt = (sinceMs: number, end: RunEnd): Phase => ({ name: "ended", sinceMs, end });

describe("a hook event", () => {
  const ready: Phase = { name: "ready", sinceMs: EVENT_AT };
  const running: Phase = { name: "running", sinceMs: EVENT_AT };
  const background: Phase = { name: "background", sinceMs: EVENT_AT };
  const stopped: Phase = { name: "stopped", sinceMs: EVENT_AT, message: "Done." };
  const left = endedAt(EVENT_AT, { kind: "left" });
  const limited = endedAt(EVENT_AT, { kind: "limited", message: "Sorry." });
  const unauthorised = (error: string) => endedAt(EVENT_AT, { kind: "unauthorised", error, message: "Sorry." });
  const apiError = (error: string) => endedAt(EVENT_AT, { kind: "api-error", error, message: "Sorry." });

  /** The phase that follows; = for the one before. */
  type Next = Phase | "=";
  type Row = readonly [HookEvent, Next, Next, Next, Next, Next, Next, Next, Next];

  /** Before our prompt is taken, no failure is ours; after it, each is. */
  const fails = (error: string, end: Phase): Row => [failure(error), "=", "=", end, end, "=", end, end, "="];

  // Columns: launching, ready, running, stopped, dialog, question, interrupted, ended.
  const table: Record<string, Row> = {
    "SessionStart startup": [start("startup"), ready, "=", "=", "=", ready, "=", "=", "="],
    "SessionStart resume": [start("resume"), ready, "=", "=", "=", ready, "=", "=", "="],
    "SessionStart compact": [start("compact"), ready, "=", "=", "=", ready, "=", "=", "="],
    "our prompt": [prompt(`${TAG}\nDo it.`), running, running, running, running, running, running, running, "="],
    "another prompt": [prompt("<task-notification>…"), "=", "=", running, running, "=", running, running, "="],
    Stop: [stop(), "=", "=", stopped, stopped, "=", stopped, stopped, "="],
    "Stop with a background task": [
      stop({ background_tasks: [{ id: "b1" }] }),
      "=",
      "=",
      background,
      background,
      "=",
      background,
      background,
      "=",
    ],
    "Stop with a scheduled prompt": [
      stop({ session_crons: [{ id: "c1" }] }),
      "=",
      "=",
      background,
      background,
      "=",
      background,
      background,
      "=",
    ],
    "StopFailure rate_limit": fails("rate_limit", limited),
    "StopFailure authentication_failed": fails("authentication_failed", unauthorised("authentication_failed")),
    "StopFailure oauth_org_not_allowed": fails("oauth_org_not_allowed", unauthorised("oauth_org_not_allowed")),
    "StopFailure account_on_hold": fails("account_on_hold", unauthorised("account_on_hold")),
    "StopFailure verification_required": fails("verification_required", unauthorised("verification_required")),
    "StopFailure billing_error": fails("billing_error", unauthorised("billing_error")),
    "StopFailure cloud_credential_error": fails("cloud_credential_error", unauthorised("cloud_credential_error")),
    "StopFailure overloaded": fails("overloaded", apiError("overloaded")),
    "StopFailure invalid_request": fails("invalid_request", apiError("invalid_request")),
    "StopFailure model_not_found": fails("model_not_found", apiError("model_not_found")),
    "StopFailure server_error": fails("server_error", apiError("server_error")),
    "StopFailure unknown": fails("unknown", apiError("unknown")),
    "StopFailure max_output_tokens": fails("max_output_tokens", apiError("max_output_tokens")),
    "StopFailure of a later version": fails("out_of_paper", apiError("out_of_paper")),
    "SessionEnd prompt_input_exit": [sessionEnd("prompt_input_exit"), left, left, left, "=", left, left, left, "="],
    "SessionEnd other": [sessionEnd("other"), "=", "=", "=", "=", "=", "=", "=", "="],
    "SessionEnd clear": [sessionEnd("clear"), "=", "=", "=", "=", "=", "=", "=", "="],
    "SessionEnd resume": [sessionEnd("resume"), "=", "=", "=", "=", "=", "=", "=", "="],
    "SessionEnd logout": [sessionEnd("logout"), "=", "=", "=", "=", "=", "=", "=", "="],
  };

  const rows = Object.entries(table).flatMap(([what, [event, ...nexts]]) =>
    Object.entries(PHASES).map(([before, phase], column) => {
      const next = nexts[column] ?? "=";
      return { what, event, before, phase, expected: next === "=" ? phase : next };
    }),
  );

  test.each(rows)("$what, $before: $expected.name", ({ event, phase, expected }) => {
    expect(afterEvent(phase, event, EVENT_AT, TAG)).toEqual(expected);
  });

  test.each([PHASES.launching, PHASES.ready, PHASES.dialog])(
    "of our prompt is known by its tag, not by another run's: $name",
    (phase) => {
      expect(afterEvent(phase, prompt("[run kabcdefghi-2]\nDo it."), EVENT_AT, TAG)).toBe(phase);
    },
  );
});

/** A look at a living agent that tells nothing. */
const LOOK: Look = {
  ...{ atMs: SINCE, movedAtMs: SINCE, lastAliveMs: 0, alive: true, exitCode: null, cancelled: false, typedIn: false },
  ...{ status: null, statusSinceMs: 0, waitingFor: null },
};

describe("a look", () => {
  /** A look at a living agent that just moved, so many ms into the phase. */
  const living = (inPhaseMs: number, more: Partial<Look> = {}): Look => ({
    ...{ ...LOOK, atMs: SINCE + inPhaseMs, movedAtMs: SINCE + inPhaseMs },
    ...more,
  });
  const status = (name: Look["status"], inPhaseMs: number, more: Partial<Look> = {}) =>
    living(inPhaseMs, { status: name, statusSinceMs: SINCE, ...more });

  const end = (inPhaseMs: number, how: RunEnd) => endedAt(SINCE + inPhaseMs, how);
  const attention = (inPhaseMs: number, need: Need): Phase => ({ name: "attention", sinceMs: SINCE + inPhaseMs, need });
  const dialog = (inPhaseMs: number) => attention(inPhaseMs, { kind: "dialog" });
  const untaken = (waitedMs: number) => end(waitedMs, { kind: "not-submitted", waitedMs });
  const blocked = (waitedMs: number) => end(waitedMs, { kind: "blocked", waitedMs });
  const unanswered = (waitedMs: number) =>
    end(waitedMs, { kind: "needs-attention", waitingFor: "permission", waitedMs });
  const deserted = (waitedMs: number) => end(waitedMs, { kind: "interrupted", waitedMs });
  const crashed = (exitCode: number | null, inPhaseMs = 10) => end(inPhaseMs, { kind: "crashed", exitCode });
  const finished = (inPhaseMs = 0) => end(inPhaseMs, { kind: "finished", message: "All green." });
  const cancelled = end(10, { kind: "cancelled" });
  const timedOut = end(2 * HOUR + 1, { kind: "timed-out", silentMs: 2 * HOUR + 1 });
  const goesOn = (inPhaseMs: number): Phase => ({ name: "running", sinceMs: SINCE + inPhaseMs });

  /** The phase that follows; = for the one before. */
  type Next = Phase | "=";
  type Row = readonly [Look, Next, Next, Next, Next, Next, Next, Next];

  const gone = (look: Look, crash: Phase, finish = finished(10)): Row => {
    return [look, crash, crash, crash, finish, crash, crash, crash];
  };

  // Columns: launching, ready, running, stopped, dialog, question, interrupted.
  const table: Record<string, Row> = {
    "no status file": [living(29_999), "=", "=", "=", finished(), "=", "=", "="],
    "at the prompt's deadline": [living(30_000), "=", "=", "=", finished(), "=", "=", "="],
    "past the prompt's deadline": [living(30_001), dialog(30_001), untaken(30_001), "=", finished(), "=", "=", "="],
    "busy for a moment": [status("busy", 1), "=", "=", "=", "=", "=", goesOn(1), goesOn(1)],
    "busy for an hour": [status("busy", HOUR), dialog(HOUR), untaken(HOUR), "=", "=", "=", goesOn(HOUR), goesOn(HOUR)],
    "with a background shell": [status("shell", 10_000), "=", "=", "=", "=", "=", goesOn(10_000), goesOn(10_000)],
    "idle for 499 ms": [status("idle", 499), "=", "=", "=", "=", "=", "=", "="],
    "idle for half a second": [status("idle", 500), "=", "=", "=", finished(), "=", "=", "="],
    "idle for 3 s": [status("idle", 3_000), "=", "=", "=", finished(), "=", "=", "="],
    "idle for more than 3 s": [
      status("idle", 3_001),
      "=",
      "=",
      attention(3_001, { kind: "interrupted" }),
      finished(),
      "=",
      "=",
      "=",
    ],
    "waiting for 3 s": [status("waiting", 3_000, { waitingFor: "permission" }), "=", "=", "=", "=", "=", "=", "="],
    "waiting for more than 3 s": [
      status("waiting", 3_001, { waitingFor: "permission" }),
      "=",
      "=",
      attention(3_001, QUESTION),
      attention(3_001, { ...QUESTION, stopped: STOPPED }),
      "=",
      "=",
      "=",
    ],
    "waiting for nobody knows what": [
      status("waiting", 3_001),
      "=",
      "=",
      attention(3_001, { ...QUESTION, waitingFor: "a question" }),
      attention(3_001, { ...QUESTION, waitingFor: "a question", stopped: STOPPED }),
      "=",
      "=",
      "=",
    ],
    "waiting since long before": [
      status("waiting", 3_000, { statusSinceMs: SINCE - 60_000, waitingFor: "permission" }),
      "=",
      "=",
      "=",
      "=",
      "=",
      "=",
      "=",
    ],
    "idle since long before the prompt": [
      status("idle", 2_000, { statusSinceMs: SINCE - 60_000 }),
      "=",
      "=",
      "=",
      finished(),
      "=",
      "=",
      "=",
    ],
    "idle only just, long after the prompt": [
      status("idle", 60_000, { statusSinceMs: SINCE + 58_000 }),
      dialog(60_000),
      untaken(60_000),
      "=",
      finished(),
      "=",
      "=",
      "=",
    ],
    "no status for an hour": [living(HOUR), dialog(HOUR), untaken(HOUR), "=", finished(), "=", "=", "="],
    "no status for more than an hour": [
      living(HOUR + 1),
      dialog(HOUR + 1),
      untaken(HOUR + 1),
      "=",
      finished(),
      blocked(HOUR + 1),
      unanswered(HOUR + 1),
      deserted(HOUR + 1),
    ],
    "idle for more than an hour": [
      status("idle", HOUR + 1),
      dialog(HOUR + 1),
      untaken(HOUR + 1),
      attention(HOUR + 1, { kind: "interrupted" }),
      finished(),
      blocked(HOUR + 1),
      unanswered(HOUR + 1),
      deserted(HOUR + 1),
    ],
    "waiting and silent for more than 2 h": [
      status("waiting", 2 * HOUR + 1, { waitingFor: "permission", movedAtMs: SINCE }),
      dialog(2 * HOUR + 1),
      untaken(2 * HOUR + 1),
      attention(2 * HOUR + 1, QUESTION),
      attention(2 * HOUR + 1, { ...QUESTION, stopped: STOPPED }),
      blocked(2 * HOUR + 1),
      unanswered(2 * HOUR + 1),
      deserted(2 * HOUR + 1),
    ],
    "busy and silent for 2 h": [
      status("busy", 2 * HOUR, { movedAtMs: SINCE }),
      dialog(2 * HOUR),
      untaken(2 * HOUR),
      "=",
      "=",
      blocked(2 * HOUR),
      goesOn(2 * HOUR),
      goesOn(2 * HOUR),
    ],
    "busy and silent for more than 2 h": [
      status("busy", 2 * HOUR + 1, { movedAtMs: SINCE }),
      dialog(2 * HOUR + 1),
      untaken(2 * HOUR + 1),
      timedOut,
      timedOut,
      blocked(2 * HOUR + 1),
      goesOn(2 * HOUR + 1),
      goesOn(2 * HOUR + 1),
    ],
    "busy for a day, moving": [
      status("busy", 24 * HOUR),
      dialog(24 * HOUR),
      untaken(24 * HOUR),
      "=",
      "=",
      blocked(24 * HOUR),
      goesOn(24 * HOUR),
      goesOn(24 * HOUR),
    ],
    "gone with exit code 0": gone(living(10, { alive: false, exitCode: 0 }), crashed(0)),
    "gone with exit code 137": gone(living(10, { alive: false, exitCode: 137 }), crashed(137)),
    "gone without a code": gone(living(10, { alive: false }), crashed(null)),
    "its exit file there, its process still ending": gone(living(10, { exitCode: 1 }), crashed(1)),
    "gone, its status file left behind": gone(status("idle", 10, { alive: false }), crashed(null)),
    "gone since its last sign of life": gone(
      living(HOUR + 1, { alive: false, movedAtMs: SINCE + 7 }),
      crashed(null, 7),
      finished(7),
    ),
    "gone since it was last seen, long after its last sign of life": gone(
      living(HOUR + 1, { alive: false, movedAtMs: SINCE + 7, lastAliveMs: SINCE + HOUR }),
      crashed(null, HOUR),
      finished(7),
    ),
    "gone without a sign of life": gone(
      living(HOUR + 1, { alive: false, movedAtMs: SINCE - 7 }),
      crashed(null, 0),
      finished(0),
    ),
    cancelled: [
      status("busy", 10, { cancelled: true }),
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
    ],
    "cancelled and gone": [
      living(10, { cancelled: true, alive: false, exitCode: 1 }),
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
      cancelled,
    ],
  };

  const rows = Object.entries(table).flatMap(([what, [look, ...nexts]]) =>
    Object.entries(GOING_ON).map(([before, phase], column) => {
      const next = nexts[column] ?? "=";
      return { what, look, before, phase, expected: next === "=" ? phase : next };
    }),
  );

  test.each(rows)("$what, $before: $expected.name", ({ look, phase, expected }) => {
    expect(afterLook(phase, look, LIMITS)).toEqual(expected);
  });

  test.each(Object.entries(table))("changes nothing once the run has ended: %s", (_what, [look]) => {
    expect(afterLook(OVER, look, LIMITS)).toBe(OVER);
  });

  test("after a question that stood when the turn was over already, the run is stopped again and then finished", () => {
    const asked = attention(0, { ...QUESTION, stopped: STOPPED });
    const again = afterLook(asked, status("idle", 5_000), LIMITS);
    expect(again).toEqual({ ...STOPPED, sinceMs: SINCE + 5_000 });
    expect(afterLook(asked, status("waiting", 5_000), LIMITS)).toBe(asked);
    expect(afterLook(again, status("idle", 6_000), LIMITS)).toEqual(finished(5_000));
  });

  describe("at the end of an agent in whose session a person is typing", () => {
    const MOST = 5 * 60_000;

    test.each<[Look["status"], number, Phase]>([
      ["idle", 1_000, STOPPED],
      [null, 1_000, STOPPED],
      ["idle", MOST - 1, STOPPED],
      ["idle", MOST, finished()],
      [null, MOST, finished()],
    ])(
      "puts it off for five minutes at most, and finds no silence in them: %s after %d ms",
      (name, inPhaseMs, next) => {
        const look = status(name, inPhaseMs, { typedIn: true, movedAtMs: SINCE });
        expect(afterLook(STOPPED, look, { ...LIMITS, timeoutMs: 500 })).toEqual(next);
      },
    );

    test("puts it off for nobody who has left, and for no agent that is gone", () => {
      expect(afterLook(STOPPED, status("idle", 30_000), LIMITS)).toEqual(finished());
      expect(afterLook(STOPPED, living(10, { typedIn: true, alive: false }), LIMITS)).toEqual(finished(10));
    });
  });

  describe("while something in the background is to wake the agent", () => {
    const background: Phase = { name: "background", sinceMs: SINCE };

    test.each(["idle", "shell", "busy", null] as const)("waits, whatever the status is: %s", (name) => {
      expect(afterLook(background, status(name, HOUR), LIMITS)).toBe(background);
    });

    test("a question is one, silence is a timeout, an end is a crash, and the next prompt goes on", () => {
      const waiting = status("waiting", 3_001, { waitingFor: "permission" });
      expect(afterLook(background, waiting, LIMITS)).toEqual(attention(3_001, QUESTION));
      expect(afterLook(background, status("shell", 2 * HOUR + 1, { movedAtMs: SINCE }), LIMITS)).toEqual(timedOut);
      expect(afterLook(background, living(10, { exitCode: 3 }), LIMITS)).toEqual(crashed(3));
      const woken = afterEvent(background, prompt("<task-notification>…"), EVENT_AT, TAG);
      expect(woken).toEqual({ name: "running", sinceMs: EVENT_AT });
    });
  });

  test("after a person has answered waits the whole time again for the next one", () => {
    const answered = afterLook(PHASES.question, status("busy", HOUR), LIMITS);
    const asked = afterLook(answered, status("waiting", HOUR + 3_001, { waitingFor: "permission" }), LIMITS);
    expect(asked).toEqual(attention(HOUR + 3_001, QUESTION));
    expect(afterLook(asked, status("waiting", 2 * HOUR + 3_001), LIMITS)).toBe(asked);
    expect(afterLook(asked, status("waiting", 2 * HOUR + 3_002), LIMITS)).toEqual(
      end(2 * HOUR + 3_002, { kind: "needs-attention", waitingFor: "permission", waitedMs: HOUR + 1 }),
    );
  });

  test("takes a person's answer from the first moment that the agent is busy, not the status from before", () => {
    const answered = afterLook(PHASES.question, status("busy", 60_000), LIMITS);
    const idle = status("idle", 62_000, { statusSinceMs: SINCE - 60_000 });
    expect(afterLook(answered, idle, LIMITS)).toEqual(goesOn(60_000));
  });
});

describe("time alone ends a stop", () => {
  const silent: Live = { status: null, statusSinceMs: 0 };
  const idle = (sinceMs: number): Live => ({ status: "idle", statusSinceMs: SINCE + sinceMs });
  const busy: Live = { status: "busy", statusSinceMs: SINCE - 60_000 };

  // How long after the stop it counts as the end, if nothing follows.
  test.each([
    ["without a status", silent, 1_000],
    ["that came while the status was idle already", idle(-1), 1_000],
    ["with the status idle at once", idle(0), 500],
    ["with the status idle a moment later", idle(60), 560],
    ["with the status idle only after a second and a half", idle(1_500), 2_000],
  ])("%s", (_what, live, endsMs) => {
    expect(isSettled(PHASES.stopped, live, SINCE + endsMs - 1)).toBe(false);
    expect(isSettled(PHASES.stopped, live, SINCE + endsMs)).toBe(true);
    expect(dueMs(PHASES.stopped, live, SINCE + endsMs - 1)).toBe(1);
    // A look at once would never pause.
    expect(dueMs(PHASES.stopped, live, SINCE + endsMs)).toBeNull();
    const look = { ...LOOK, ...live };
    expect(afterLook(STOPPED, { ...look, atMs: SINCE + endsMs - 1 }, LIMITS)).toBe(STOPPED);
    expect(afterLook(STOPPED, { ...look, atMs: SINCE + endsMs }, LIMITS)).toMatchObject({ name: "ended" });
  });

  test.each([
    [idle(60), 60, 500],
    [silent, 0, 100],
    [busy, 0, 100],
    [busy, 950, 50],
    [busy, 1_000, null],
  ])("is waited for as long as its status is known: %j, %d ms after it: %s", (live, sinceMs, due) => {
    expect(dueMs(PHASES.stopped, live, SINCE + sinceMs)).toBe(due);
  });

  const { stopped: _, ...others } = PHASES;
  test.each(Object.entries(others))("and no other phase soon: %s", (_name, phase) => {
    expect(dueMs(phase, idle(0), SINCE)).toBeNull();
    expect(isSettled(phase, idle(0), SINCE + HOUR)).toBe(false);
  });
});
