import { expect, test } from "vitest";
import { failureOf, type RunEnd } from "../../src/core/outcome.ts";

test("a finished run is no failure", () => {
  expect(failureOf({ kind: "finished", message: "All green." })).toBeNull();
});

test.each<[RunEnd, string, string]>([
  [{ kind: "limited", message: "resets at 3pm" }, "RUN_LIMITED", "resets at 3pm"],
  [{ kind: "unauthorised", message: "Please run /login" }, "RUN_UNAUTHORISED", "Please run /login"],
  [{ kind: "api-error", error: "server_error", message: "500" }, "RUN_API_ERROR", "server_error: 500"],
  [{ kind: "blocked", waitedMs: 30_400 }, "RUN_BLOCKED", "the agent was not ready after 30 s: its screen is below"],
  [
    { kind: "not-submitted", waitedMs: 30_600 },
    "RUN_NOT_SUBMITTED",
    "the agent took no prompt within 31 s: its screen is below",
  ],
  [
    { kind: "needs-attention", waitingFor: "permission" },
    "RUN_NEEDS_ATTENTION",
    "the agent waits for an answer (permission): its screen is below",
  ],
  [{ kind: "interrupted" }, "RUN_INTERRUPTED", "somebody interrupted the agent in its session"],
  [{ kind: "crashed", exitCode: 137 }, "RUN_CRASHED", "the agent ended with exit code 137 before it was finished"],
  [{ kind: "crashed", exitCode: 0 }, "RUN_CRASHED", "the agent ended with exit code 0 before it was finished"],
  [{ kind: "crashed", exitCode: null }, "RUN_CRASHED", "the agent ended without an exit code before it was finished"],
  [{ kind: "timed-out", silentMs: 7_200_000 }, "RUN_TIMED_OUT", "the agent showed no sign of life for 7200 s"],
  [{ kind: "lost" }, "RUN_LOST", "the run was not to be found after a restart of ccl-queue"],
])("%j is %s: %s", (end, code, message) => {
  expect(failureOf(end)).toEqual({ code, message });
});
