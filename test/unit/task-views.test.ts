import { describe, expect, test } from "vitest";
import { delegationCounts } from "../../src/control/delegation-status.ts";
import { viewTask } from "../../src/control/task-row-view.ts";
import { taskView } from "../../src/control/task-view.ts";
import type { TaskState } from "../../src/core/task.ts";
import { type TaskRow, toRow } from "../../src/queue/task-row.ts";
import type { LiveRun } from "../../src/workers/run/board.ts";

const AT = Date.UTC(2026, 10, 21, 9, 30);
const ID = "kabcdefghi";
const HEADER = {
  ...{ title: "Fix it", priority: "high", tags: ["a", "b"], needsClaudeCode: false, preferredAi: "auto" },
  ...{ allowDelegation: false, complexityHint: "none", timeoutMs: null },
} as const;
const DATA = { project: "/srv/site", name: "fix.md", fingerprint: "f", earlierRuns: 0, header: HEADER };
const SPENT = { durationMs: 245_000.4, model: "opus", tokens: { input: 5, output: 7 }, costUsd: 0.5 };
const PATH = "/srv/site/.agent-queue/done/fix.md";
const ENDING = { result: "done", path: PATH, by: "ccl-auto-11", spent: SPENT } as const;

interface Stored {
  readonly queue?: TaskRow["queue"];
  readonly type?: string;
  readonly data?: object;
  readonly started?: number | null;
  readonly finished?: number | null;
  readonly reason?: string | null;
  readonly returned?: unknown;
}

/** The row of a job as Redis gives it. */
function row(stored: Stored = {}): TaskRow | null {
  const { queue = "local", type = "prioritized", data = {}, started = null, finished = null } = stored;
  const time = (ms: number | null) => (ms === null ? null : String(ms));
  const returned = stored.returned === undefined ? null : JSON.stringify(stored.returned);
  const fields = [JSON.stringify({ ...DATA, ...data }), String(AT), time(started), time(finished)];
  return toRow(ID, queue, type, [...fields, stored.reason ?? null, returned]);
}

function viewed(stored: Stored = {}, run: LiveRun | null = null) {
  const found = row(stored);
  if (found === null) throw new Error("the job stands for no task");
  const view = viewTask(found, run);
  expect(taskView.strict().parse(view)).toEqual(view);
  return view;
}

const RUN: LiveRun = {
  record: {
    ...{ id: `${ID}-3`, job: ID, project: DATA.project, name: DATA.name, priority: "high", reason: "r" },
    ...{ session: "ccl-auto-12", model: "sonnet", claudeSession: "0b54e6a2-4b6f-4c8e-9a57-0d6f0f3a1c22" },
    ...{ resumed: false, attempt: 2, promptHash: "", timeoutMs: 1, preparedAtMs: AT, state: { name: "prepared" } },
  },
  progress: { phase: { name: "running", sinceMs: AT }, movedAtMs: AT, submitted: true, lookedAtMs: AT, dueMs: null },
};

describe("the state of a job", () => {
  test.each<[TaskRow["queue"], string, TaskState]>([
    ["inbox", "wait", "waiting"],
    ["inbox", "prioritized", "waiting"],
    ["inbox", "active", "waiting"],
    ["inbox", "delayed", "waiting"],
    ["inbox", "failed", "failed"],
    ["local", "wait", "waiting"],
    ["local", "prioritized", "waiting"],
    ["local", "active", "running"],
    ["local", "delayed", "delayed"],
    ["local", "failed", "failed"],
    ["delegated", "wait", "waiting"],
    ["delegated", "prioritized", "waiting"],
    ["delegated", "active", "delegated"],
    ["delegated", "delayed", "delayed"],
    ["delegated", "failed", "failed"],
  ])("that is in %s as %s is %s", (queue, type, state) => {
    expect(row({ queue, type })?.state).toBe(state);
  });

  test.each(["done", "cancelled"] as const)("that is over is what it says itself: %s", (result) => {
    for (const queue of ["local", "delegated"] as const)
      expect(row({ queue, type: "completed", returned: { ...ENDING, result } })?.state).toBe(result);
  });

  test.each([
    { result: "local" },
    { result: "superseded" },
    { result: "failed" },
    undefined,
    null,
    "done",
    5,
    { result: "done", spent: 5 },
  ])("that is over as %j stands for no task", (returned) => {
    expect(row({ type: "completed", returned })).toBeNull();
  });
});

describe("there is no row", () => {
  test.each<[string, unknown]>([
    ["of a job that is gone", [null, null, null, null, null, null]],
    ["of data that is no JSON", ["{", "1", null, null, null, null]],
    ["of data of another kind", ['{"a":1}', "1", null, null, null, null]],
    ["of data that is empty", ["", "1", null, null, null, null]],
    ["of a time that is none", [JSON.stringify(DATA), "soon", null, null, null, null]],
    ["of too few fields", [JSON.stringify(DATA), "1"]],
    ["of an error", new Error("WRONGTYPE")],
    ["of nothing", undefined],
  ])("%s", (_what, values) => {
    expect(toRow(ID, "local", "wait", values)).toBeNull();
  });

  test("of a time that no date can name", () => {
    const values = [JSON.stringify(DATA), "9e99", null, null, null, null];
    expect(() => {
      const found = toRow(ID, "local", "wait", values);
      return found === null ? null : viewTask(found, null);
    }).not.toThrow();
  });
});

describe("a task is shown", () => {
  test("that waits", () => {
    expect(viewed()).toEqual({
      ...{ id: ID, task: "site/fix.md", project: "/srv/site", name: "fix.md", title: "Fix it", state: "waiting" },
      ...{ priority: "high", tags: ["a", "b"], route: "local", provider: null, reason: null, attempts: 0 },
      ...{ enqueued_at: "2026-11-21T09:30:00.000Z", started_at: null, finished_at: null, session: null, model: null },
      ...{ error: null, path: "/srv/site/.agent-queue/inbox/fix.md", duration_ms: null, tokens: null, cost_usd: null },
    });
  });

  test("that has not been routed", () => {
    expect(viewed({ queue: "inbox" })).toMatchObject({ route: null, state: "waiting", attempts: 0 });
  });

  test("that is to be tried again, and why it is where it is", () => {
    const data = { attempts: 2, reason: "allow_delegation is not true" };
    expect(viewed({ type: "delayed", data, started: AT + 1 })).toMatchObject({
      ...{ state: "delayed", attempts: 2, reason: data.reason, started_at: "2026-11-21T09:30:00.001Z" },
    });
  });

  test("that runs here: in which session, with which model, in which attempt", () => {
    const view = viewed({ type: "active", data: { attempts: 1 }, started: AT }, RUN);
    expect(view).toMatchObject({ state: "running", session: "ccl-auto-12", model: "sonnet", attempts: 2 });
  });

  test("that runs on another host", () => {
    const view = viewed({ type: "active", data: { attempts: 1 }, started: AT });
    expect(view).toMatchObject({ state: "running", session: null, model: null, attempts: 2 });
  });

  test("that is with the platform", () => {
    const data = { provider: "gpu", remote: { id: "j-1", submittedAtMs: AT } };
    const view = viewed({ queue: "delegated", type: "active", data, started: AT });
    expect(view).toMatchObject({ state: "delegated", route: "delegated", provider: "gpu", session: null, attempts: 1 });
  });

  test("that is done: where, by whom, and what it took", () => {
    const view = viewed({ type: "completed", returned: ENDING, started: AT, finished: AT + 5_000 });
    expect(view).toMatchObject({
      ...{ state: "done", path: PATH, session: "ccl-auto-11", model: "opus", duration_ms: 245_000, attempts: 1 },
      ...{ tokens: { input: 5, output: 7 }, cost_usd: 0.5, finished_at: "2026-11-21T09:30:05.000Z", error: null },
    });
  });

  test("that the platform has done: its name is no session's", () => {
    const returned = { ...ENDING, by: "gpu" };
    const view = viewed({ queue: "delegated", type: "completed", returned, finished: AT, data: { provider: "gpu" } });
    expect(view).toMatchObject({ state: "done", session: null, provider: "gpu" });
  });

  test("that failed: why, and after how many attempts", () => {
    const data = { attempts: 2, ending: { ...ENDING, result: "failed" } };
    const view = viewed({ type: "failed", data, finished: AT, reason: "RUN_CRASHED: exit code 1" });
    expect(view).toMatchObject({ state: "failed", error: "RUN_CRASHED: exit code 1", attempts: 3, path: PATH });
  });

  test("that was cancelled and of whose end nothing is known", () => {
    const view = viewed({ type: "completed", returned: { result: "cancelled" }, finished: AT });
    expect(view).toMatchObject({ state: "cancelled", path: null, session: null, duration_ms: null, tokens: null });
  });

  test("that was put back and waits as if its earlier end had never been", () => {
    const data = { ending: { ...ENDING, result: "failed" } };
    expect(viewed({ data, reason: "RUN_CRASHED: old" })).toMatchObject({
      ...{ state: "waiting", error: null, duration_ms: null, finished_at: null },
      path: "/srv/site/.agent-queue/inbox/fix.md",
    });
  });

  test("as hostile as its header is, and no more", () => {
    const title = "</script>\u001b[31m\0\n| x |";
    expect(viewed({ data: { header: { ...HEADER, title, tags: ["__proto__", ""] } } })).toMatchObject({
      ...{ title, tags: ["__proto__", ""] },
    });
  });

  test("that an earlier version enqueued, without what that did not know", () => {
    const { timeoutMs: _timeoutMs, ...header } = HEADER;
    const { earlierRuns: _earlierRuns, ...data } = DATA;
    const found = toRow(ID, "local", "wait", [JSON.stringify({ ...data, header }), "1", null, null, null, null]);
    expect(found).toMatchObject({ state: "waiting", attempts: 0, ending: null });
  });
});

describe("an answer of a daemon that knows another provider", () => {
  test("is read where it tells of a task", () => {
    const view = { ...viewed({ queue: "delegated", data: { provider: "gpu" } }), provider: "made-up" };
    expect(taskView.parse(view)).toEqual(view);
  });

  test("is read where it tells of the platform", () => {
    const counts = { configured: true, active: 1, submitted: 1, completed: 0, failed: 0, cancelled: 0, fallback: 0 };
    const view = { ...counts, ticks: 1, ticked_at: null, cost_usd: { gpu: 1, "made-up": 0.5 } };
    expect(delegationCounts.parse(view)).toEqual(view);
  });
});
