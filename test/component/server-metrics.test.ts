import { beforeEach, describe, expect, test } from "vitest";
import type { DelegationStatus } from "../../src/control/delegation-status.ts";
import type { Status } from "../../src/control/status.ts";
import { type Spent, type TaskEvent, TaskEvents } from "../../src/core/events.ts";
import type { Decision } from "../../src/core/route.ts";
import { LiveEvents } from "../../src/server/live-events.ts";
import { LaunchTimes } from "../../src/server/metrics/launch-times.ts";
import { Metrics } from "../../src/server/metrics.ts";
import { serveApi } from "../helpers/served-api.ts";

const task = { project: "/p/site", name: "fix.md" };
const NOTHING: Spent = { durationMs: 0, model: null, tokens: null, costUsd: null };
const STATUS: Status = {
  verdict: "held",
  reasons: [],
  at: "2026-01-01T00:00:00.000Z",
  hold: { kind: "limit", since: "2026-01-01T00:00:00.000Z", until: "2026-01-01T01:00:00.000Z", message: "reached" },
  sessions: [
    { name: "s1", state: "busy" },
    { name: "s2", state: "busy" },
    { name: "s3", state: "cooling" },
  ],
  runs: [],
  queues: {
    inbox: { waiting: 1, active: 2, delayed: 3, oldest_ms: 1_500 },
    local: { waiting: 10_000, active: 4, delayed: 0, oldest_ms: 86_400_000 },
    delegated: { waiting: 0, active: 0, delayed: 0, oldest_ms: null },
  },
  delegation: {
    ...{ configured: true, active: 5, submitted: 9, completed: 3, failed: 1, cancelled: 0, fallback: 2, ticks: 7 },
    ticked_at: "2026-01-01T00:00:12.500Z",
    cost_usd: { gpu: 0.5, gemini: 0, "claude-api": 1.25 },
  },
};

let tasks: TaskEvents;
let events: LiveEvents;
let errors: unknown[];

beforeEach(() => {
  tasks = new TaskEvents();
  errors = [];
  events = new LiveEvents({ tasks, onError: (error) => errors.push(error) });
});

const JOB = {
  ...{ id: "a", project: "site", task: "far.md", reason: "preferred_ai is gpu", remote_id: "job-1" },
  provider: "gpu",
  ...{ submitted_at: "2025-12-31T23:59:10.000Z", age_ms: 50_000 },
} as const;
const DELEGATION: DelegationStatus = { ...STATUS.delegation, jobs: [JOB, { ...JOB, id: "b", age_ms: 10_000 }] };
const known = { status: async () => STATUS, delegationStatus: async () => DELEGATION, sessions: async () => [] };
const never = async () => await new Promise<never>(() => {});
const failed = async () => await Promise.reject(new Error("away"));

/** The lines of our own metrics that begin like this, without what they all begin with. */
async function lines(metrics: Metrics, name: string): Promise<string[]> {
  const all = (await metrics.text()).split("\n");
  return all.filter((line) => line.startsWith(`ccl_queue_${name}`)).map((line) => line.replace("ccl_queue_", ""));
}

describe("a scrape", () => {
  test("shows each queue by its state, and the age of its oldest", async () => {
    const metrics = new Metrics({ controls: known, events });
    expect(await lines(metrics, "jobs{")).toEqual([
      'jobs{queue="inbox",state="waiting"} 1',
      'jobs{queue="inbox",state="active"} 2',
      'jobs{queue="inbox",state="delayed"} 3',
      'jobs{queue="local",state="waiting"} 10000',
      'jobs{queue="local",state="active"} 4',
      'jobs{queue="local",state="delayed"} 0',
      'jobs{queue="delegated",state="waiting"} 0',
      'jobs{queue="delegated",state="active"} 0',
      'jobs{queue="delegated",state="delayed"} 0',
    ]);
    expect(await lines(metrics, "oldest_waiting_seconds{")).toEqual([
      'oldest_waiting_seconds{queue="inbox"} 1.5',
      'oldest_waiting_seconds{queue="local"} 86400',
      'oldest_waiting_seconds{queue="delegated"} 0',
    ]);
  });

  test("shows sessions by state, the hold, and what is delegated", async () => {
    const metrics = new Metrics({ controls: known, events });
    expect(await lines(metrics, "sessions{")).toEqual([
      'sessions{state="idle"} 0',
      'sessions{state="busy"} 2',
      'sessions{state="cooling"} 1',
      'sessions{state="in use"} 0',
      'sessions{state="missing"} 0',
    ]);
    expect(await lines(metrics, "held{")).toEqual([
      'held{kind="limit"} 1',
      'held{kind="login"} 0',
      'held{kind="manual"} 0',
    ]);
    expect(await lines(metrics, "delegat")).toEqual([
      "delegated_active 5",
      'delegations_total{outcome="submitted"} 9',
      'delegations_total{outcome="completed"} 3',
      'delegations_total{outcome="failed"} 1',
      'delegations_total{outcome="cancelled"} 0',
      'delegations_total{outcome="fallback"} 2',
      'delegation_cost_usd_total{provider="gpu"} 0.5',
      'delegation_cost_usd_total{provider="gemini"} 0',
      'delegation_cost_usd_total{provider="claude-api"} 1.25',
    ]);
    expect(await lines(metrics, "reaper")).toEqual([
      "reaper_ticks_total 7",
      "reaper_last_tick_timestamp_seconds 1767225612.5",
    ]);
  });

  test("shows runs that wait for a person, and those that are silent", async () => {
    const run = {
      ...{ id: "r", job: "j", task: "site/fix.md", reason: "", session: "s1", model: "m", attempt: 1 },
      ...{ started_at: STATUS.at, since: STATUS.at, silent_ms: 0 },
    };
    const runs = [
      { ...run, phase: "attention", stale: false },
      { ...run, phase: "running", stale: true },
      { ...run, phase: "running", stale: true },
      { ...run, phase: "running", stale: false, started_at: "2025-12-31T23:58:30.000Z" },
    ];
    const metrics = new Metrics({ controls: { ...known, status: async () => ({ ...STATUS, runs }) }, events });
    expect(await lines(metrics, "runs_needing")).toEqual(["runs_needing_attention 1"]);
    expect(await lines(metrics, "runs_stale")).toEqual(["runs_stale 2"]);
    expect(await lines(metrics, "oldest_running")).toEqual(["oldest_running_seconds 90"]);
  });

  test("shows for how long the oldest has been with the platform, and zeros where there is nothing", async () => {
    const metrics = new Metrics({ controls: known, events });
    expect(await lines(metrics, "oldest_delegated")).toEqual(["oldest_delegated_seconds 50"]);
    const none = async () => ({ ...DELEGATION, ticked_at: null, jobs: [] });
    const idle = new Metrics({ controls: { ...known, delegationStatus: none }, events });
    expect(await lines(idle, "oldest_delegated")).toEqual(["oldest_delegated_seconds 0"]);
    expect(await lines(idle, "oldest_running")).toEqual(["oldest_running_seconds 0"]);
    expect(await lines(idle, "reaper_last")).toEqual(["reaper_last_tick_timestamp_seconds 0"]);
  });

  test("shows the same however often it is asked, and two at once", async () => {
    const metrics = new Metrics({ controls: known, events });
    const own = (text: string) => text.split("\n").filter((line) => line.startsWith("ccl_queue_"));
    const first = own(await metrics.text());
    const [second, third] = await Promise.all([metrics.text(), metrics.text()]);
    expect(own(second)).toEqual(first);
    expect(own(third)).toEqual(first);
  });

  test("shows the process", async () => {
    const text = await new Metrics({ controls: known, events }).text();
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });
});

describe("a scrape while something is away", () => {
  test.each([
    ["nothing answers", { status: never, sessions: never }, 0],
    ["all fails", { status: failed, sessions: failed }, 0],
    ["only the sessions are known", { status: never, sessions: async () => [SESSION] }, 1],
  ])("tells what is known, and leaves out the rest: %s", async (_what, controls, sessions) => {
    let isAway = false;
    const parts = {
      ...known,
      status: async () => (isAway ? await controls.status() : STATUS),
      sessions: async () => await controls.sessions(),
    };
    const metrics = new Metrics({ controls: parts, events, patienceMs: 20 });
    expect(await lines(metrics, "known")).toEqual(['known{part="status"} 1', 'known{part="sessions"} 1']);
    tasks.emit({ task, id: "a", type: "updated" });
    isAway = true;
    expect(await lines(metrics, "known")).toEqual(['known{part="status"} 0', `known{part="sessions"} ${sessions}`]);
    for (const name of ["jobs", "oldest", "held", "delegat", "runs_needing", "runs_stale", "reaper"])
      expect(await lines(metrics, name)).toEqual([]);
    const idle = sessions === 0 ? [] : ['sessions{state="idle"} 1'];
    expect(await lines(metrics, 'sessions{state="idle"')).toEqual(idle);
    expect(await lines(metrics, "task_events_total")).toEqual(['task_events_total{type="updated"} 1']);
    isAway = false;
    expect(await lines(metrics, "jobs{")).toHaveLength(9);
  });
});

const SESSION = { name: "s1", state: "idle", attach: "tmux attach", run: null } as const;

describe("what happens", () => {
  const LOCAL: Decision = { route: "local", reason: "allow_delegation is not true" };
  const done = (by: string, spent: Partial<Spent> = {}, project = task.project, decision: Decision = LOCAL) =>
    tasks.emit({
      ...{ task: { project, name: "x.md" }, id: "a", type: "done", decision, by, path: "/p" },
      spent: { ...NOTHING, ...spent },
    });

  test("is counted by type, and runs by outcome and route", async () => {
    const metrics = new Metrics({ controls: known, events });
    done("ccl-auto-11");
    done("ccl-auto-12");
    done("gemini", {}, task.project, { route: "delegated", provider: "gemini", reason: "no complexity_hint" });
    const decision = { route: "delegated", provider: "gpu", reason: "preferred_ai is gpu" } as const;
    tasks.emit({ task, id: "b", type: "failed", decision, by: "gpu", path: "/p", reason: "", spent: NOTHING });
    tasks.emit({ task, id: "c", type: "retrying", session: "s", reason: "", delayMs: 1 });
    tasks.emit({ task, id: "c", type: "held", session: "s", reason: "", untilMs: 1 });
    tasks.emit({ task, id: "d", type: "recovered", from: "build-2" });
    tasks.emit({ task, id: "d", type: "cancelled", byCommand: true, decision: LOCAL });
    tasks.emit({ task, id: "e", type: "cancelled", byCommand: true, decision });
    // It only waited.
    tasks.emit({ task, id: "f", type: "cancelled", byCommand: true, decision: null });
    expect((await lines(metrics, "runs_total")).sort()).toEqual([
      'runs_total{outcome="cancelled",route="delegated"} 1',
      'runs_total{outcome="cancelled",route="local"} 1',
      'runs_total{outcome="done",route="delegated"} 1',
      'runs_total{outcome="done",route="local"} 2',
      'runs_total{outcome="failed",route="delegated"} 1',
      'runs_total{outcome="held",route="local"} 1',
      'runs_total{outcome="recovered",route="local"} 1',
      'runs_total{outcome="retried",route="local"} 1',
    ]);
    expect(await lines(metrics, 'task_events_total{type="done"}')).toEqual(['task_events_total{type="done"} 3']);
  });

  test("leads to durations, tokens and cost by project", async () => {
    const metrics = new Metrics({ controls: known, events });
    done("ccl-auto-11", { durationMs: 45_000, tokens: { input: 100, output: 7 }, costUsd: 0.25 });
    done("ccl-auto-11", { durationMs: 5_000, tokens: { input: 1, output: 1 }, costUsd: 0.5 }, "/p/shop");
    done("ccl-auto-11", { durationMs: 1_000 });
    expect(await lines(metrics, "tokens_total")).toEqual([
      'tokens_total{project="site",direction="input"} 100',
      'tokens_total{project="site",direction="output"} 7',
      'tokens_total{project="shop",direction="input"} 1',
      'tokens_total{project="shop",direction="output"} 1',
    ]);
    expect(await lines(metrics, "cost_usd_total")).toEqual([
      'cost_usd_total{project="site"} 0.25',
      'cost_usd_total{project="shop"} 0.5',
    ]);
    const shown = await lines(metrics, "run_duration_seconds");
    expect(shown).toContain('run_duration_seconds_sum{route="local"} 51');
    expect(shown).toContain('run_duration_seconds_bucket{le="10",route="local"} 2');
    expect(shown).toContain('run_duration_seconds_bucket{le="60",route="local"} 3');
  });

  test("leads to an end of labels, however many projects there are", async () => {
    const metrics = new Metrics({ controls: known, events });
    for (let index = 0; index < 1_000; index += 1) done("s", { costUsd: 1 }, `/p/${index}`);
    done("s", { costUsd: 1 }, "/p/7");
    const shown = await lines(metrics, "cost_usd_total");
    expect(shown).toHaveLength(201);
    expect(shown).toContain('cost_usd_total{project="(others)"} 800');
    expect(shown).toContain('cost_usd_total{project="7"} 2');
  });

  test("cannot break the format by its names", async () => {
    const metrics = new Metrics({ controls: known, events });
    done("s", { costUsd: 1 }, '/p/a"} 1\nccl_queue_held{kind="x\\');
    const shown = (await metrics.text()).split("\n").filter((line) => line.includes("cost_usd_total{project"));
    expect(shown).toEqual(['ccl_queue_cost_usd_total{project="a\\"} 1\\nccl_queue_held{kind=\\"x\\\\"} 1']);
  });

  test("counts a hold once, however often it is made longer", async () => {
    const metrics = new Metrics({ controls: known, events });
    const hold = { kind: "limit", sinceMs: 1, untilMs: 2, message: "" } as const;
    events.hold(hold);
    events.hold({ ...hold, untilMs: 3 });
    events.hold(null);
    events.hold({ ...hold, sinceMs: 5 });
    events.hold({ ...hold, kind: "manual", sinceMs: 9 });
    expect(await lines(metrics, "holds_total")).toEqual([
      'holds_total{kind="limit"} 2',
      'holds_total{kind="manual"} 1',
    ]);
  });

  test("with numbers that make no sense harms nobody", async () => {
    const metrics = new Metrics({ controls: known, events });
    done("s", { durationMs: Number.NaN, costUsd: -1 });
    done("s", { costUsd: 2 });
    expect(await lines(metrics, "cost_usd_total")).toEqual(['cost_usd_total{project="site"} 2']);
  });
});

describe("the time of a launch", () => {
  const launched = (id: string): TaskEvent => ({ task, id, type: "launched", session: "s", model: "m", run: "r" });
  const submitted = (id: string): TaskEvent => ({ task, id, type: "submitted", session: "s", run: "r" });

  test("lasts from the launch until the prompt was taken", () => {
    const times = new LaunchTimes();
    expect(times.after(launched("a"), 1_000)).toBeNull();
    expect(times.after(launched("b"), 1_100)).toBeNull();
    expect(times.after({ task, id: "a", type: "attention", session: "s", what: "", screen: "" }, 1_200)).toBeNull();
    expect(times.after(submitted("a"), 1_800)).toBe(800);
    expect(times.after(submitted("a"), 1_900)).toBeNull();
    expect(times.after(submitted("b"), 1_900)).toBe(800);
  });

  test("is not known of a launch that failed, or that another daemon made", () => {
    const times = new LaunchTimes();
    times.after(launched("a"), 0);
    times.after({ task, id: "a", type: "retrying", session: "s", reason: "", delayMs: 1 }, 1);
    expect(times.after(submitted("a"), 2)).toBeNull();
    expect(times.after(submitted("b"), 2)).toBeNull();
  });

  test("is remembered for more launches than any pool has, and not for ever more", () => {
    const times = new LaunchTimes();
    for (let index = 0; index < 2_001; index += 1) times.after(launched(`${index}`), 0);
    expect(times.after(submitted("0"), 1)).toBeNull();
    expect(times.after(submitted("1"), 1)).toBe(1);
  });

  test("is that of the last launch", () => {
    const times = new LaunchTimes();
    times.after(launched("a"), 0);
    times.after(launched("a"), 100);
    expect(times.after(submitted("a"), 150)).toBe(50);
  });

  test("is shown", async () => {
    const metrics = new Metrics({ controls: known, events });
    tasks.emit(launched("a"));
    tasks.emit(submitted("a"));
    expect(await lines(metrics, "launch_latency_seconds_count")).toEqual(["launch_latency_seconds_count 1"]);
    expect(await lines(metrics, 'launch_latency_seconds_bucket{le="0.25"')).toEqual([
      'launch_latency_seconds_bucket{le="0.25"} 1',
    ]);
  });
});

test("the route answers in the text format", async () => {
  const api = await serveApi({ metrics: new Metrics({ controls: known, events }) });
  const { status, headers, body } = await api.ask("/metrics");
  expect({ status, type: headers["content-type"] }).toEqual({
    status: 200,
    type: "text/plain; version=0.0.4; charset=utf-8",
  });
  expect(body).toMatch(/^# HELP ccl_queue_jobs .+\n# TYPE ccl_queue_jobs gauge\n/m);
  for (const line of body.trimEnd().split("\n"))
    expect(line).toMatch(/^(?:|# (?:HELP|TYPE) \w+ .+|\w+(?:\{.*\})? (?:-?[\d.]+(?:e[+-]?\d+)?|\+Inf|NaN|Nan))$/);
});
