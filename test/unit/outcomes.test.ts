import { expect, test } from "vitest";
import { failureOf, type RunEnd } from "../../src/core/outcome.ts";

test("a finished run is no failure", () => {
  expect(failureOf({ kind: "finished", message: "All green." })).toBeNull();
});

test.each<[RunEnd, string, string]>([
  [{ kind: "limited", message: "resets at 3pm" }, "RUN_LIMITED", "resets at 3pm"],
  [
    { kind: "unauthorised", error: "authentication_failed", message: "Please run /login" },
    "RUN_UNAUTHORISED",
    "authentication_failed: Please run /login",
  ],
  [{ kind: "api-error", error: "server_error", message: "500" }, "RUN_API_ERROR", "server_error: 500"],
  [
    { kind: "blocked", waitedMs: 3_600_400 },
    "RUN_BLOCKED",
    "nobody answered the agent's dialog within 1 h (claude.attention_timeout)",
  ],
  [
    { kind: "not-submitted", waitedMs: 30_600 },
    "RUN_NOT_SUBMITTED",
    "the agent took no prompt within 30.6 s (dispatcher.prompt_timeout)",
  ],
  [
    { kind: "needs-attention", waitingFor: "permission", waitedMs: 5_400_000 },
    "RUN_NEEDS_ATTENTION",
    "nobody answered the agent (permission) within 1 h 30 min (claude.attention_timeout)",
  ],
  [
    { kind: "interrupted", waitedMs: 3_600_000 },
    "RUN_INTERRUPTED",
    "somebody interrupted the agent and did not go on within 1 h (claude.attention_timeout)",
  ],
  [{ kind: "left" }, "RUN_INTERRUPTED", "somebody ended the agent in its session"],
  [{ kind: "crashed", exitCode: 137 }, "RUN_CRASHED", "the agent ended with exit code 137 before it was finished"],
  [{ kind: "crashed", exitCode: 0 }, "RUN_CRASHED", "the agent ended with exit code 0 before it was finished"],
  [{ kind: "crashed", exitCode: null }, "RUN_CRASHED", "the agent ended without an exit code before it was finished"],
  [
    { kind: "timed-out", silentMs: 7_200_000 },
    "RUN_TIMED_OUT",
    "the agent showed no sign of life for 2 h (the task's timeout, or else claude.timeout)",
  ],
  [{ kind: "cancelled" }, "RUN_CANCELLED", "the task was cancelled while it ran"],
])("%j is %s: %s", (end, code, message) => {
  expect(failureOf(end)).toEqual({ code, message });
});
