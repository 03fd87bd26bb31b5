import { describe, expect, test } from "vitest";
import type { RunEnd } from "../../src/core/outcome.ts";
import { type EndedRun, judge, type Verdict } from "../../src/core/verdict.ts";

const NOW = Date.UTC(2026, 10, 21, 20);
const MINUTE = 60_000;
const ATTEMPTS = 3;

const verdictOn = (end: RunEnd, more: Partial<EndedRun> = {}) =>
  judge({ end, attempt: 1, attempts: ATTEMPTS, backoffMs: 10_000, resetsAtMs: null, ...more }, NOW);

const done: Verdict = { kind: "done" };
const failed: Verdict = { kind: "failed" };
const cancelled: Verdict = { kind: "cancelled" };
const retry = (delayMs: number): Verdict => ({ kind: "retry", delayMs });
const held = (kind: "limit" | "login", message: string, inMs: number): Verdict => ({
  kind: "held",
  hold: { kind, message, sinceMs: NOW, untilMs: NOW + inMs },
});

const limited: RunEnd = { kind: "limited", message: "You've hit your 5-hour limit" };
const crashed: RunEnd = { kind: "crashed", exitCode: 137 };

/** The verdict after each of three attempts. */
type After = readonly [first: Verdict, second: Verdict, last: Verdict];
const always = (verdict: Verdict): After => [verdict, verdict, verdict];
const retried: After = [retry(10_000), retry(40_000), failed];
const apiError = (error: string): RunEnd => ({ kind: "api-error", error, message: "Sorry." });
const unauthorised = (error: string): RunEnd => ({ kind: "unauthorised", error, message: "Sorry." });

describe("after a run of three attempts", () => {
  const table: [RunEnd, After][] = [
    [{ kind: "finished", message: "Done." }, always(done)],
    [{ kind: "cancelled" }, always(cancelled)],
    [limited, always(held("limit", "You've hit your 5-hour limit", 15 * MINUTE))],
    [unauthorised("authentication_failed"), always(held("login", "authentication_failed: Sorry.", 5 * MINUTE))],
    [unauthorised("billing_error"), always(held("login", "billing_error: Sorry.", 5 * MINUTE))],
    [{ kind: "blocked", waitedMs: 3_600_001 }, always(failed)],
    [{ kind: "needs-attention", waitingFor: "permission", waitedMs: 3_600_001 }, always(failed)],
    [{ kind: "interrupted", waitedMs: 3_600_001 }, always(failed)],
    [{ kind: "left" }, always(failed)],
    [apiError("invalid_request"), always(failed)],
    [apiError("model_not_found"), always(failed)],
    [apiError("server_error"), retried],
    [apiError("overloaded"), retried],
    [apiError("max_output_tokens"), retried],
    [apiError("unknown"), retried],
    [{ kind: "not-submitted", waitedMs: 30_001 }, retried],
    [crashed, retried],
    [{ kind: "crashed", exitCode: 0 }, retried],
    [{ kind: "crashed", exitCode: null }, retried],
    [{ kind: "timed-out", silentMs: 7_200_001 }, retried],
  ];
  const rows = table.flatMap(([end, verdicts]) =>
    verdicts.map((verdict, index) => ({ end, attempt: index + 1, verdict, next: verdict.kind })),
  );

  test.each(rows)("$end, attempt $attempt: $next", ({ end, attempt, verdict }) => {
    expect(verdictOn(end, { attempt })).toEqual(verdict);
  });

  const kinds: Record<RunEnd["kind"], true> = {
    finished: true,
    limited: true,
    unauthorised: true,
    "api-error": true,
    blocked: true,
    "not-submitted": true,
    "needs-attention": true,
    interrupted: true,
    left: true,
    crashed: true,
    "timed-out": true,
    cancelled: true,
  };
  test("each way to end is in the table", () => {
    expect([...new Set(table.map(([end]) => end.kind))].sort()).toEqual(Object.keys(kinds).sort());
  });
});

describe("the pause before another attempt", () => {
  test.each([
    [1, 10_000],
    [2, 40_000],
    [3, 160_000],
    [4, 600_000],
    [5, 600_000],
    [99, 600_000],
    [5_000, 600_000],
  ])("after attempt %d is %d ms: four times the one before, up to ten minutes", (attempt, delayMs) => {
    expect(verdictOn(crashed, { attempt, attempts: 10_000 })).toEqual(retry(delayMs));
  });

  test.each([
    [1, 1],
    [600_000, 600_000],
    [600_001, 600_000],
  ])("is %d ms by the configuration, so %d ms", (backoffMs, delayMs) => {
    expect(verdictOn(crashed, { backoffMs })).toEqual(retry(delayMs));
  });
});

test.each([
  [1, 1],
  [3, 3],
  [4, 3],
])("attempt %d of %d is the last", (attempt, attempts) => {
  expect(verdictOn(crashed, { attempt, attempts })).toEqual(failed);
});

describe("a limit holds the pool", () => {
  test.each([
    ["until a minute after its reset", 90 * MINUTE, 91 * MINUTE],
    ["until a minute after a reset that is now", 0, MINUTE],
    ["until a minute from now when the reset has just been", -90_000, MINUTE],
    ["for a quarter of an hour when the reset is said to be over", -2 * MINUTE, 15 * MINUTE],
    ["for a quarter of an hour when the reset was long ago", -24 * 60 * MINUTE, 15 * MINUTE],
    ["until a reset that is days away", 6 * 24 * 60 * MINUTE, (6 * 24 * 60 + 1) * MINUTE],
  ])("%s", (_what, resetsInMs, heldMs) => {
    expect(verdictOn(limited, { resetsAtMs: NOW + resetsInMs })).toEqual(
      held("limit", "You've hit your 5-hour limit", heldMs),
    );
  });

  test("and only a limit: another end does not ask for the reset", () => {
    const resetsAtMs = NOW + 90 * MINUTE;
    expect(verdictOn(unauthorised("account_on_hold"), { resetsAtMs })).toEqual(
      held("login", "account_on_hold: Sorry.", 5 * MINUTE),
    );
    expect(verdictOn(crashed, { resetsAtMs })).toEqual(retry(10_000));
  });
});
