import type { HostView } from "../../src/control/hosts.ts";
import type { Overview } from "../../src/control/overview.ts";
import type { RunView } from "../../src/control/session-view.ts";
import type { TaskDetail, TaskView } from "../../src/control/task-view.ts";
import { PRIORITIES, type TaskState } from "../../src/core/task.ts";

/** The moment at which the examples are looked at. */
export const NOW_MS = Date.parse("2026-03-02T14:05:00.000Z");
const iso = (atMs: number) => new Date(atMs).toISOString();
const MINUTE_MS = 60_000;

const TITLES = [
  "Fix the flaky login test",
  "Speed up the search page",
  "Write the release notes",
  "Upgrade the date picker",
  "Explain the billing job",
  "Add paging to /orders",
  "Remove the old importer",
  "Translate the welcome mail",
] as const;
const PROJECTS = ["site", "api", "docs", "billing"] as const;
const ESC = "\u001b";

const pick = <const T>(list: readonly [T, ...T[]], index: number): T => list[index % list.length] ?? list[0];
const slug = (title: string) => title.toLowerCase().replaceAll(/[^a-z]+/g, "-");

/** A task of the examples; `index` makes it another one. */
export function exampleTask(index: number, state: TaskState, nowMs = NOW_MS): TaskView {
  const [project, title] = [pick(PROJECTS, index), pick(TITLES, index)];
  const name = `${slug(title)}${index < TITLES.length ? "" : `-${index}`}.md`;
  return {
    id: `k${index.toString(36).padStart(9, "a")}`,
    task: `${project}/${name}`,
    project: `/srv/projects/${project}`,
    name,
    title: index % 3 === 2 ? null : title,
    state,
    priority: PRIORITIES[[2, 7, 40].filter((last) => index > last).length] ?? "default",
    tags: index % 2 === 0 ? ["ci", "login"] : [],
    ...{ route: null, provider: null, reason: null, attempts: 0, session: null, model: null, error: null },
    ...{ enqueued_at: iso(nowMs - (index + 1) * 3 * MINUTE_MS), started_at: null, finished_at: null },
    ...{ path: `/srv/projects/${project}/.agent-queue/inbox/${name}`, duration_ms: null, tokens: null, cost_usd: null },
    ...(state === "waiting" ? {} : begun(index, state, nowMs)),
    ...(["done", "failed", "cancelled"].includes(state) ? over(index, state, nowMs) : {}),
  };
}

function begun(index: number, state: TaskState, nowMs: number): Partial<TaskView> {
  const started = { attempts: 1, started_at: iso(nowMs - (index + 1) * 2 * MINUTE_MS) };
  if (state === "delegated") {
    const provider = pick(["gpu", "gemini", "claude-api"], index);
    return { ...started, route: "delegated", provider, reason: "complexity_hint is low" };
  }
  const session = `ccl-auto-${11 + (index % 10)}`;
  return { ...started, route: "local", reason: "allow_delegation is not true", session, model: "sonnet" };
}

function over(index: number, state: TaskState, nowMs: number): Partial<TaskView> {
  return {
    finished_at: iso(nowMs - (index + 1) * MINUTE_MS),
    error: state === "failed" ? "RUN_CRASHED: the agent ended with exit code 1 before it was finished" : null,
    duration_ms: (index + 2) * 47_000,
    tokens: { input: 48_000 + index * 7_000, output: 3_100 + index * 90 },
    cost_usd: 0.12 + index * 0.07,
  };
}

function exampleRun(index: number, more: Partial<RunView> = {}, nowMs = NOW_MS): RunView {
  const task = exampleTask(index, "running", nowMs);
  return {
    id: `${task.id}-1`,
    job: task.id,
    task: task.task,
    reason: "allow_delegation is not true",
    session: `ccl-auto-${11 + index}`,
    model: index === 0 ? "opus" : "sonnet",
    attempt: index === 2 ? 2 : 1,
    phase: "running",
    started_at: iso(nowMs - (index + 1) * 4 * MINUTE_MS - 17_000),
    since: iso(nowMs - (index + 1) * 4 * MINUTE_MS),
    silent_ms: 4_000,
    stale: false,
    ...more,
  };
}

const [GREEN, RED, CYAN, DIM, BOLD, OFF] = ["32", "31", "36", "2", "1", "0"].map((code) => `${ESC}[${code}m`);
const ORANGE = `${ESC}[38;2;215;119;87m`;

/** What agents at work may show. */
const SCREENS: readonly [readonly string[], ...(readonly string[])[]] = [
  [
    `${ORANGE}●${OFF} I will look at the test first.`,
    `${GREEN}●${OFF} ${BOLD}Read${OFF}(test/login.test.ts)`,
    `${GREEN}●${OFF} ${BOLD}Edit${OFF}(src/login.ts)`,
    `  ${DIM}└ 1 line added, 1 removed${OFF}`,
    `    ${DIM}41${OFF} ${RED}-  await sleep(100);${OFF}`,
    `    ${DIM}41${OFF} ${GREEN}+  await until("the form is there", shown);${OFF}`,
    `${GREEN}●${OFF} ${BOLD}Bash${OFF}(npm test -- login)`,
    `  ${DIM}└${OFF} ${CYAN}✓${OFF} 14 tests passed in 3 s`,
    `${ORANGE}✻ Checking the rest of the page…${OFF} ${DIM}(24 s)${OFF}`,
  ],
  [
    `${GREEN}●${OFF} ${BOLD}Bash${OFF}(npm run bench -- search)`,
    `  ${DIM}└${OFF} p50 ${GREEN}38 ms${OFF}  p95 ${RED}912 ms${OFF}  1,000 queries`,
    "",
    ` ${BOLD}Which index may I rebuild?${OFF}`,
    ` ${CYAN}❯ 1. The search index alone${OFF}`,
    "   2. All of them, which takes an hour",
    "   3. None: tell me what you would do",
    ` ${DIM}Enter to choose · Esc to cancel${OFF}`,
  ],
  [
    `${GREEN}●${OFF} ${BOLD}Update todos${OFF}`,
    `  ${DIM}└${OFF} ${GREEN}☒${OFF} ${DIM}Collect what was merged since May${OFF}`,
    `     ${GREEN}☒${OFF} ${DIM}Sort it by what users notice${OFF}`,
    `     ${BOLD}☐ Write the notes${OFF}`,
    "     ☐ Ask for a review",
    `${GREEN}●${OFF} ${BOLD}Write${OFF}(docs/releases/2026-03.md)`,
    `  ${DIM}└ Wrote 64 lines${OFF}`,
    `${ORANGE}✻ Reading it once more…${OFF} ${DIM}(1m 12s · ↓ 4.1k tokens)${OFF}`,
  ],
  [
    `${GREEN}●${OFF} ${BOLD}Bash${OFF}(npm outdated date-picker)`,
    `  ${DIM}└${OFF} date-picker  ${RED}4.2.0${OFF} → ${GREEN}6.0.1${OFF}`,
    `${GREEN}●${OFF} ${BOLD}Edit${OFF}(package.json)`,
    `${RED}●${OFF} ${BOLD}Bash${OFF}(npm test -- calendar)`,
    `  ${DIM}└${OFF} ${RED}✗${OFF} 2 of 31 tests failed`,
    `     ${RED}expected${OFF} 2026-02-28 ${RED}got${OFF} 2026-03-01`,
    `${ORANGE}●${OFF} The new version counts months from one.`,
    `${ORANGE}✻ Mending the two callers…${OFF} ${DIM}(41 s)${OFF}`,
  ],
];

/** What one of them shows. */
export function exampleScreen(index: number): string {
  return `${pick(SCREENS, index).join("\n")}\n\n`;
}

export interface ExampleOptions {
  readonly nowMs?: number;
  readonly sessions?: number;
  readonly busy?: number;
  readonly waiting?: number;
  readonly held?: boolean;
  readonly attention?: boolean;
}

/** A queue at work. */
export function exampleOverview(options: ExampleOptions = {}): Overview {
  const { nowMs = NOW_MS, sessions = 10, busy = 6, waiting = 63, held = false, attention = true } = options;
  const some = (total: number, state: TaskState, from: number) => ({
    total,
    tasks: Array.from({ length: Math.min(total, 50) }, (_, index) => exampleTask(index + from, state, nowMs)),
  });
  const looks = Array.from({ length: sessions }, (_, index): Overview["sessions"][number] => {
    const name = `ccl-auto-${11 + index}`;
    const session = { name, state: pick(["idle", "idle", "cooling", "in use"], index), run: null, screen: "" } as const;
    const attach = `tmux -L ccl attach -t =${name}`;
    if (index >= busy) return { ...session, attach };
    const run = exampleRun(index, attention && index === 1 ? { phase: "attention" } : {}, nowMs);
    return { ...session, attach, state: "busy", run, screen: exampleScreen(index) };
  });
  const runs = looks.flatMap(({ run }) => run ?? []);
  const backlog = { waiting: 0, active: 0, delayed: 0, oldest_ms: null };
  const hold = {
    kind: "limit",
    since: iso(nowMs - 9 * MINUTE_MS),
    until: iso(nowMs + 23 * MINUTE_MS),
    message: "You've hit your limit · resets 2:27pm",
  } as const;
  const finished = Array.from({ length: 12 }, (_, index) =>
    exampleTask(index, index === 1 || index === 6 ? "failed" : index === 4 ? "cancelled" : "done", nowMs),
  );
  return {
    workspace: "default",
    status: {
      verdict: attention ? "attention" : held ? "held" : "ok",
      reasons: [],
      at: iso(nowMs),
      hold: held ? hold : null,
      sessions: looks.map(({ name, state }) => ({ name, state })),
      runs,
      queues: { inbox: backlog, local: { ...backlog, waiting, active: busy }, delegated: backlog },
      delegation: {
        ...{
          configured: true,
          active: 3,
          submitted: 40,
          completed: 36,
          failed: 1,
          cancelled: 0,
          fallback: 0,
          ticks: 7,
          ticked_at: null,
        },
        cost_usd: { gpu: 0, gemini: 0.4, "claude-api": 2.1 },
      },
    },
    sessions: looks,
    waiting: some(waiting, "waiting", 2),
    delayed: some(2, "delayed", 5),
    delegated: some(3, "delegated", 3),
    finished: { total: 428, tasks: finished },
    others: [
      exampleHost("build-2-9d41c0", "held", nowMs),
      { ...exampleHost("laptop-77ab02", "ok", nowMs), workspace: "nightly", state: "gone" },
    ],
    history: Array.from({ length: 144 }, (_, slot) => {
      const wave = Math.max(0, Math.sin((slot - 30) / 22)) * 6 + ((slot * 7) % 5) / 2;
      const utilisation = slot < 8 ? null : Math.min(1, wave / 7);
      const at = iso(Math.floor(nowMs / 600_000) * 600_000 - (143 - slot) * 600_000);
      return { at, done: Math.round(wave), failed: slot % 17 === 5 ? 1 + (slot % 2) : 0, utilisation };
    }),
  };
}

function exampleHost(host: string, verdict: HostView["verdict"], nowMs: number): HostView {
  return {
    ...{ workspace: "default", host, verdict, state: "up", at: iso(nowMs - 7_000) },
    reasons: verdict === "held" ? ["the pool is held until somebody resumes it: moving house"] : [],
    hold: null,
    sessions: { busy: 4, idle: 6 },
    waiting: 63,
    delegated: 3,
  };
}

/** A task with all that its page shows. */
export function exampleDetail(state: TaskState = "failed", nowMs = NOW_MS): TaskDetail {
  const at = (seconds: number) => iso(nowMs - 9 * MINUTE_MS + seconds * 1_000);
  return {
    ...exampleTask(0, state, nowMs),
    prompt: "The login test fails about once in ten runs on CI. Find out why and mend it.\n\nDo not raise a timeout.\n",
    run_dir: "/home/op/.local/state/ccl-queue/runs/kabcdefgh0-1",
    result: state === "done" ? "The test slept instead of waiting for the form. It waits now; 200 runs passed." : null,
    timeline: [
      { at: at(0), type: "seen", text: "seen in the inbox" },
      { at: at(1), type: "routed", text: "routed to the local pool: allow_delegation is not true" },
      { at: at(64), type: "launched", text: "launched in ccl-auto-11 with sonnet" },
      { at: at(66), type: "submitted", text: "the agent in ccl-auto-11 took the prompt" },
      { at: at(71), type: "said", text: "I will look at the test first." },
      { at: at(74), type: "tool", text: "Read test/login.test.ts" },
      { at: at(92), type: "tool", text: "Edit src/login.ts" },
      { at: at(118), type: "tool", text: "Bash npm test -- login" },
      ...(state === "running" ? [] : [{ at: at(240), type: state, text: `${state} after 2 min 54 s` }]),
    ],
  };
}
