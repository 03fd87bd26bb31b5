import { type TaskPage, type TaskView, taskPage } from "../control/task-view.ts";
import { notableReason } from "../core/route.ts";
import { cleanLine } from "./clean.ts";
import { type Daemon, daemonOf } from "./daemon-client.ts";
import { printJson, printLines } from "./print.ts";
import { projectNamed } from "./project.ts";
import { paintStates, type Screen, screenOf } from "./screen.ts";
import { table } from "./table.ts";

type State = TaskView["state"];

export interface ListOptions {
  readonly config?: string;
  readonly json?: true;
  /** Those that are over, too. */
  readonly all?: true;
  readonly state?: readonly State[];
  readonly project?: string;
  readonly route?: string;
  readonly tag?: string;
  readonly limit: number;
}

const OVER = ["done", "failed", "cancelled"] as const satisfies State[];
const NOT_OVER = ["running", "delegated", "waiting", "delayed"] as const satisfies State[];
/** The cells that are cut where the terminal is too narrow: TASK and ABOUT. */
const FLEXIBLE = [3, 7];
const STATE = 1;
/** On a narrower terminal, what a task is about is left out. */
const WIDE_COLUMNS = 100;

/** `ccl-queue list`: the tasks that are not over, or those that are asked for. */
export async function list(options: ListOptions): Promise<void> {
  const daemon = await daemonOf(options.config);
  const hidesOver = options.all === undefined && options.state === undefined;
  const [page, over] = await Promise.all([
    daemon.get(routeOf(options, hidesOver ? NOT_OVER : (options.state ?? [])), taskPage),
    hidesOver && !options.json ? countOver(daemon, options) : 0,
  ]);
  if (options.json) return printJson(page);
  printLines([...describeTasks(page, screenOf(process.stdout), Date.now()), ...overLine(over)]);
}

async function countOver(daemon: Daemon, options: ListOptions): Promise<number> {
  return (await daemon.get(routeOf({ ...options, limit: 1 }, OVER), taskPage)).total;
}

function routeOf({ project, route, tag, limit }: ListOptions, states: readonly State[]): string {
  const query = new URLSearchParams(states.map((state): [string, string] => ["state", state]));
  for (const [name, value] of Object.entries({ project: projectNamed(project), route, tag, limit }))
    if (value !== undefined) query.append(name, String(value));
  return `/api/tasks?${query}`;
}

function overLine(over: number): string[] {
  return over === 0 ? [] : [`${over} more ${over === 1 ? "is" : "are"} over: --all lists them`];
}

/** A page of tasks as lines. */
export function describeTasks({ tasks, total, offset }: TaskPage, screen: Screen, nowMs: number): string[] {
  if (tasks.length === 0) return ["no tasks"];
  const hasRoom = screen.columns === null || screen.columns >= WIDE_COLUMNS;
  const head = ["ID", "STATE", "PRIORITY", "TASK", "BY", "AGE", "TOOK", "ABOUT"];
  const rows = [head, ...tasks.map((task) => rowOf(task, nowMs))];
  const lines = table(hasRoom ? rows : rows.map((row) => row.slice(0, -1)), {
    columns: screen.columns,
    flexible: FLEXIBLE.slice(0, hasRoom ? 2 : 1),
    paint: paintStates(screen, STATE),
  });
  const left = total - offset - tasks.length;
  return left > 0 ? [...lines, `and ${left} more: --limit shows them`] : lines;
}

function rowOf(task: TaskView, nowMs: number): string[] {
  const { id, state, priority, session, provider, enqueued_at, error, title } = task;
  const by = session ?? provider ?? "";
  const age = shortDuration(nowMs - Date.parse(enqueued_at));
  const about = error ?? [title, notableReason(task)].filter((part) => part !== null).join("; ");
  return [id, state, priority, task.task, by, age, tookOf(task, nowMs), about].map(cleanLine);
}

/** How long the last attempt took, or has taken so far. */
function tookOf({ state, started_at, finished_at, duration_ms }: TaskView, nowMs: number): string {
  if (duration_ms !== null) return shortDuration(duration_ms);
  if (started_at === null || state === "waiting" || state === "delayed") return "";
  return shortDuration((finished_at === null ? nowMs : Date.parse(finished_at)) - Date.parse(started_at));
}

/** A duration in the biggest unit that tells enough: `1.7s`, `45s`, `12m`, `30h`, `9d`. */
function shortDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs / 1_000);
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  if (seconds < 100) return `${Math.floor(seconds)}s`;
  if (seconds < 100 * 60) return `${Math.floor(seconds / 60)}m`;
  return seconds < 48 * 3_600 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
