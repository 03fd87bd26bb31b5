import { describe, expect, test } from "vitest";
import { describeStatus } from "../../src/cli/status.ts";
import { table } from "../../src/cli/table.ts";
import { type Status, statusSchema } from "../../src/control/status.ts";

const NONE = { waiting: 0, active: 0, delayed: 0, oldest_ms: null };
const AT = "2026-11-21T09:30:00.000Z";

const QUIET: Status = {
  verdict: "ok",
  reasons: [],
  at: AT,
  hold: null,
  sessions: [
    { name: "ccl-auto-11", state: "idle" },
    { name: "ccl-auto-12", state: "idle" },
  ],
  runs: [],
  queues: { inbox: NONE, local: NONE, delegated: NONE },
  delegation: {
    configured: false,
    ...{ active: 0, submitted: 0, completed: 0, failed: 0, cancelled: 0, fallback: 0, ticks: 7 },
    ticked_at: AT,
    cost_usd: { gpu: 0, gemini: 0, "claude-api": 0 },
  },
};

const RUN: Status["runs"][number] = {
  id: "kabcdefghi-1",
  job: "kabcdefghi",
  task: "site/fix.md",
  reason: "allow_delegation is not true",
  session: "ccl-auto-11",
  model: "sonnet",
  attempt: 1,
  phase: "running",
  started_at: AT,
  since: AT,
  silent_ms: 3_200,
  stale: false,
};

/** What is printed for a status that differs from the quiet one in these parts. */
function lines(changes: Partial<Status> = {}): string[] {
  return describeStatus(statusSchema.parse({ ...QUIET, ...changes }));
}

describe("the status on a screen", () => {
  test("of a queue with nothing to do", () => {
    expect(lines()).toEqual(["ok: 0 of 2 sessions busy, 2 idle", "waiting: no task"]);
  });

  test("counts sessions by what they are good for", () => {
    const states = ["busy", "busy", "idle", "cooling", "in use", "missing", "missing"] as const;
    const sessions = states.map((state, index) => ({ name: `s-${index}`, state }));
    expect(lines({ sessions })[0]).toBe("ok: 2 of 7 sessions busy, 1 idle, 1 cooling, 1 in use, 2 missing");
    expect(lines({ sessions: sessions.slice(0, 2) })[0]).toBe("ok: 2 of 2 sessions busy");
    expect(lines({ sessions: [] })[0]).toBe("ok: 0 of 0 sessions busy");
  });

  test.each([
    [{ ...NONE, waiting: 1, oldest_ms: 340 }, "waiting: 1 task, the oldest for 340 ms"],
    [{ ...NONE, waiting: 1_000, oldest_ms: 7_380_000 }, "waiting: 1000 tasks, the oldest for 2 h 3 min"],
    [{ ...NONE, delayed: 1 }, "waiting: no task; 1 task tried again later"],
    [
      { ...NONE, waiting: 2, delayed: 3, oldest_ms: 2_100 },
      "waiting: 2 tasks, the oldest for 2.1 s; 3 tasks tried again later",
    ],
  ])("tells what waits: %j", (local, line) => {
    expect(lines({ queues: { ...QUIET.queues, local } })).toContain(line);
  });

  test("says why, for every reason, right below the verdict", () => {
    const reasons = ["site/ask.md needs attention in ccl-auto-11", "the pool is held until 10:00: limit"];
    expect(lines({ verdict: "attention", reasons }).slice(0, 4)).toEqual([
      "attention: 0 of 2 sessions busy, 2 idle",
      "  site/ask.md needs attention in ccl-auto-11",
      "  the pool is held until 10:00: limit",
      "waiting: no task",
    ]);
  });

  test("lists the runs in columns, the stale ones marked", () => {
    const runs = [
      RUN,
      { ...RUN, task: "shop/a.md", session: "ccl-auto-9", attempt: 3, stale: true, silent_ms: 65_000 },
    ];
    expect(lines({ runs }).slice(2)).toEqual([
      "",
      "SESSION      TASK         PHASE           MODEL   ATTEMPT  SILENT FOR",
      "ccl-auto-11  site/fix.md  running         sonnet  1        3.2 s",
      "ccl-auto-9   shop/a.md    running, stale  sonnet  3        1 min 5 s",
    ]);
  });

  test("tells of delegation where there is any, or was", () => {
    const delegation = {
      ...QUIET.delegation,
      ...{ configured: true, active: 3, submitted: 9, completed: 4, failed: 1, cancelled: 1, fallback: 2, ticks: 7 },
      cost_usd: { gpu: 0.011, gemini: 0.5, "claude-api": 1.2 },
    };
    const queues = { ...QUIET.queues, delegated: { ...NONE, waiting: 7, oldest_ms: 5 } };
    const line = "delegated: 3 out, 7 waiting; 4 done, 1 failed, 2 fell back so far for $1.71";
    expect(lines({ delegation, queues })).toContain(line);
    expect(lines({ delegation: { ...delegation, configured: false }, queues })).toContain(line);
    expect(lines({ delegation: { ...delegation, configured: false, active: 0 } }).join()).not.toContain("delegated");
  });

  test("lets no name and no message steer the terminal or begin a line of its own", () => {
    const nasty = "a\nok: all is well\u001b[2J\u0007\r\u009b.md";
    const shown = lines({
      verdict: "held",
      reasons: [`${nasty} needs attention`],
      runs: [{ ...RUN, task: `site/${nasty}` }],
    });
    expect(shown).toHaveLength(6);
    expect(shown.filter((line) => /\p{Cc}/u.test(line))).toEqual([]);
    expect(shown[1]).toMatch(/^ {2}a ok: all is well/);
  });
});

describe("a table", () => {
  test("has columns as wide as their widest cell, and no blanks at the end of a line", () => {
    expect(
      table([
        ["A", "LONG", ""],
        ["wider", "b"],
        ["", "", "c"],
      ]),
    ).toEqual(["A      LONG", "wider  b", "             c"]);
  });

  test("of nothing is nothing", () => {
    expect(table([])).toEqual([]);
  });
});
