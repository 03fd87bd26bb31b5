import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { describeStep } from "../../src/cli/describe-step.ts";
import { describeHosts } from "../../src/cli/hosts.ts";
import { describeTasks } from "../../src/cli/list.ts";
import { PLAIN, type Screen } from "../../src/cli/screen.ts";
import { describeSessions } from "../../src/cli/sessions.ts";
import { describeTask } from "../../src/cli/show.ts";
import { hostView } from "../../src/control/hosts.ts";
import { type SessionView, sessionView } from "../../src/control/session-view.ts";
import { type TaskDetail, type TaskView, taskDetail, taskView } from "../../src/control/task-view.ts";

const NOW_MS = Date.parse("2026-11-21T10:00:00.000Z");
const agoIso = (ms: number) => new Date(NOW_MS - ms).toISOString();
const MINUTE_MS = 60_000;
const NASTY = "\u001B]0;owned\u0007a\nb\u009B2J\u202E";

const TASK: TaskView = taskView.parse({
  ...{ id: "kabcdefghi", task: "site/fix.md", project: "/p/site", name: "fix.md", title: null, state: "waiting" },
  ...{ priority: "default", tags: [], route: null, provider: null, reason: null, attempts: 0 },
  ...{ enqueued_at: agoIso(5 * MINUTE_MS), started_at: null, finished_at: null, session: null, model: null },
  ...{ error: null, path: null, duration_ms: null, tokens: null, cost_usd: null },
});

const tasks = (list: readonly Partial<TaskView>[], screen: Screen = PLAIN, total = list.length) =>
  describeTasks(
    { total, offset: 0, tasks: list.map((changes) => taskView.parse({ ...TASK, ...changes })) },
    screen,
    NOW_MS,
  );

describe("a list of tasks", () => {
  test("says of each how it stands, who does it, and for how long", () => {
    const started_at = agoIso(2 * MINUTE_MS);
    expect(
      tasks([
        { title: "Fix it" },
        { state: "running", session: "ccl-auto-11", started_at, priority: "critical" },
        { state: "delegated", provider: "gemini", started_at },
        { state: "delayed", started_at, error: "it crashed" },
        { state: "done", session: "ccl-auto-12", started_at, duration_ms: 3_000 },
        { state: "cancelled", started_at, finished_at: agoIso(MINUTE_MS) },
      ]),
    ).toEqual([
      "ID          STATE      PRIORITY  TASK         BY           AGE  TOOK  ABOUT",
      "kabcdefghi  waiting    default   site/fix.md               5m         Fix it",
      "kabcdefghi  running    critical  site/fix.md  ccl-auto-11  5m   2m",
      "kabcdefghi  delegated  default   site/fix.md  gemini       5m   2m",
      "kabcdefghi  delayed    default   site/fix.md               5m         it crashed",
      "kabcdefghi  done       default   site/fix.md  ccl-auto-12  5m   3.0s",
      "kabcdefghi  cancelled  default   site/fix.md               5m   60s",
    ]);
  });

  test("says why one is with the platform or came back from it, and of no other", () => {
    const refused = "secutools would not take it: 503 unavailable";
    const delegated = { route: "delegated", provider: "gpu", reason: "complexity_hint is low" } as const;
    const lines = tasks([
      { ...delegated, state: "delegated" },
      { ...delegated, state: "done", title: "Sum it up" },
      { route: "local", state: "running", reason: refused },
      { route: "local", state: "failed", reason: refused, error: "RUN_CRASHED: it ended" },
      { route: "local", reason: "delegation is not configured any more" },
      { route: "local", reason: "allow_delegation is not true" },
      { route: "local", reason: "allow_delegation is not true", title: "Fix it" },
    ]);
    const column = lines[0]?.indexOf("ABOUT");
    expect(lines.slice(1).map((line) => line.slice(column))).toEqual([
      "complexity_hint is low",
      "Sum it up; complexity_hint is low",
      refused,
      "RUN_CRASHED: it ended",
      "delegation is not configured any more",
      "",
      "Fix it",
    ]);
  });

  test.each([
    [0, "0.0s"],
    [9_940, "9.9s"],
    [9_960, "9s"],
    [99_999, "99s"],
    [100_000, "1m"],
    [99 * MINUTE_MS, "99m"],
    [100 * MINUTE_MS, "1h"],
    [47 * 60 * MINUTE_MS, "47h"],
    [49 * 60 * MINUTE_MS, "2d"],
  ])("%i ms are %s", (duration_ms, shown) => {
    expect(tasks([{ state: "done", duration_ms }])[1]).toMatch(new RegExp(` ${shown.replace(".", "\\.")}$`));
  });

  test("says how many are left, and that there are none", () => {
    expect(tasks([{}], PLAIN, 10_000).at(-1)).toBe("and 9999 more: --limit shows them");
    expect(tasks([], PLAIN, 0)).toEqual(["no tasks"]);
  });

  test("fits the terminal, and is steered by no task", () => {
    const task = { task: `site/${NASTY.repeat(9)}.md`, title: "東京".repeat(40) };
    for (const columns of [80, 99, 100, 120]) {
      const lines = tasks([task], { ...PLAIN, columns });
      expect(lines).toHaveLength(2);
      for (const line of lines) {
        expect(line).not.toMatch(/[\p{Cc}\u202E]/u);
        expect(stringWidth(line)).toBeLessThanOrEqual(columns);
      }
      expect(lines[1]).toContain("…");
      expect(lines[0]?.endsWith("ABOUT")).toBe(columns >= 100);
    }
  });

  test("is not confused by a clock that goes back", () => {
    const later = new Date(NOW_MS + MINUTE_MS).toISOString();
    expect(tasks([{ state: "running", enqueued_at: later, started_at: later }])[1]).toMatch(/ 0\.0s {2}0\.0s$/);
  });
});

describe("a task", () => {
  const detail = (changes: Partial<TaskDetail>): string[] =>
    describeTask(
      taskDetail.parse({ ...TASK, prompt: null, result: null, timeline: [], run_dir: null, ...changes }),
      PLAIN,
    );

  test("shows what is known, and nothing that is not", () => {
    expect(detail({})).toEqual([
      "site/fix.md",
      "  state     waiting",
      "  id        kabcdefghi",
      "  priority  default",
      "  enqueued  2026-11-21T09:55:00.000Z",
    ]);
  });

  test("says how to go on where it failed, and nowhere else", () => {
    const nextOf = (changes: Partial<TaskDetail>) => detail(changes).filter((line) => line.startsWith("  next"));
    expect(nextOf({ state: "failed" })).toEqual(["  next      `ccl-queue retry kabcdefghi` runs it again"]);
    expect(nextOf({ state: "failed", error: "it said: no" })).toEqual(nextOf({ state: "failed" }));
    for (const state of ["waiting", "delayed", "running", "delegated", "done", "cancelled"] as const)
      expect(nextOf({ state, error: "RUN_CRASHED: it ended" })).toEqual([]);
  });

  test("shows its way, its prompt and its result", () => {
    const lines = detail({
      ...{ title: "Fix it", state: "failed", tags: ["ci", "login"], attempts: 3, error: "RUN_CRASHED: it ended" },
      ...{ route: "local", reason: "allow_delegation is not true", session: "ccl-auto-11", model: "opus" },
      ...{ tokens: { input: 10, output: 20 }, cost_usd: 1.005, duration_ms: 61_000, path: "/p/site/x.md" },
      ...{ prompt: "Do this.\n\tThen that.\n", result: "Done:\n- this\n", run_dir: "/s/runs/k-3" },
      timeline: [{ at: agoIso(0), type: "result", text: "one\ntwo" }],
    });
    expect(lines[0]).toBe("site/fix.md: Fix it");
    expect(lines.slice(1, lines.indexOf(""))).toEqual([
      "  state     failed",
      "  error     RUN_CRASHED: it ended",
      "  next      `ccl-queue retry kabcdefghi` runs it again; docs/errors.md says what to do about RUN_CRASHED",
      "  id        kabcdefghi",
      "  priority  default",
      "  tags      ci, login",
      "  route     local: allow_delegation is not true",
      "  by        ccl-auto-11 with opus",
      "  attempts  3",
      "  enqueued  2026-11-21T09:55:00.000Z",
      "  took      1 min 1 s",
      "  tokens    10 in, 20 out",
      "  cost      $1.00",
      "  file      /p/site/x.md",
      "  run       /s/runs/k-3",
    ]);
    const rest = lines.slice(lines.indexOf(""));
    expect(rest).toEqual([
      "",
      "What happened",
      expect.stringMatching(/^ {2}2026-11-2\d \d\d:\d\d:\d\d {2}result {5}one$/),
      `${" ".repeat(34)}two`,
      "",
      "Prompt",
      "  Do this.",
      "      Then that.",
      "",
      "Result",
      "  Done:",
      "  - this",
    ]);
  });

  test("steers no terminal, whoever wrote it", () => {
    const lines = detail({
      ...{ task: NASTY, title: NASTY, tags: [NASTY], error: NASTY, reason: NASTY, session: NASTY, model: NASTY },
      ...{
        path: NASTY,
        prompt: NASTY,
        result: NASTY,
        run_dir: NASTY,
        timeline: [{ at: agoIso(0), type: NASTY, text: NASTY }],
      },
    });
    expect(lines.filter((line) => /[\p{Cc}\u202E]/u.test(line))).toEqual([]);
  });
});

test("a step has the local time, its type and its text", () => {
  const at = new Date(2026, 0, 2, 3, 4, 5).toISOString();
  expect(describeStep({ at, type: "launched", text: "in ccl-auto-11" }, PLAIN)).toEqual([
    "2026-01-02 03:04:05  launched   in ccl-auto-11",
  ]);
});

describe("the sessions", () => {
  const run = {
    ...{ id: "kabcdefghi-1", job: "kabcdefghi", task: "site/fix.md", reason: "r", session: "ccl-auto-11" },
    ...{ model: "sonnet", attempt: 2, phase: "running", started_at: agoIso(3 * MINUTE_MS), since: agoIso(0) },
    ...{ silent_ms: 1_500, stale: false },
  };
  const session = (changes: Partial<SessionView>): SessionView =>
    sessionView.parse({ name: "ccl-auto-11", state: "idle", attach: "tmux attach", run: null, ...changes });

  test("are shown with what runs in them", () => {
    expect(
      describeSessions([session({ state: "busy", run }), session({ name: "ccl-auto-12" })], PLAIN, NOW_MS),
    ).toEqual([
      "SESSION      STATE  TASK         PHASE    MODEL   ATTEMPT  FOR    SILENT FOR",
      "ccl-auto-11  busy   site/fix.md  running  sonnet  2        3 min  1.5 s",
      "ccl-auto-12  idle",
    ]);
    expect(describeSessions([], PLAIN, NOW_MS)).toEqual(["no sessions"]);
  });

  test("steer no terminal", () => {
    const lines = describeSessions(
      [session({ run: { ...run, task: NASTY, phase: NASTY, model: NASTY } })],
      PLAIN,
      NOW_MS,
    );
    expect(lines.filter((line) => /[\p{Cc}\u202E]/u.test(line))).toEqual([]);
  });
});

test("the hosts are shown, and those that are away have no verdict any more", () => {
  const host = (changes: object) =>
    hostView.parse({
      ...{ workspace: "default", host: "one", at: agoIso(3_000), state: "up", verdict: "ok", reasons: [], hold: null },
      ...{ sessions: { busy: 2, idle: 8 }, waiting: 3, delegated: 1 },
      ...changes,
    });
  const hosts = [
    host({}),
    host({ host: "two", verdict: "held", reasons: ["the pool is held", NASTY] }),
    host({ workspace: "other", host: "three", state: "gone", at: agoIso(61_000), sessions: {} }),
    host({ host: "four", state: "stopped" }),
  ];
  const lines = describeHosts(hosts, PLAIN, NOW_MS);
  expect(lines.filter((line) => /[\p{Cc}\u202E]/u.test(line))).toEqual([]);
  expect(lines).toEqual([
    "WORKSPACE  HOST   VERDICT  SESSIONS      WAITING  DELEGATED  HEARD OF       WHY",
    "default    one    ok       2 of 10 busy  3        1          3.0 s ago",
    expect.stringMatching(/^default {4}two {4}held {5}2 of 10 busy .* the pool is held; {2}\]0;owned/),
    "other      three  gone     0 of 0 busy   3        1          1 min 1 s ago",
    "default    four   stopped  2 of 10 busy  3        1          3.0 s ago",
  ]);
  expect(describeHosts([], PLAIN, NOW_MS)).toEqual(["no hosts"]);
});
