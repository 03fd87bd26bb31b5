import { z } from "zod";
import type { TaskState } from "../core/task.ts";
import type { History, Slot } from "../queue/history.ts";
import type { Hosts } from "../queue/hosts.ts";
import type { TaskIndex } from "../queue/task-index.ts";
import { hostView, readHosts } from "./hosts.ts";
import { sessionView } from "./session-view.ts";
import { type SessionSources, screensOf } from "./sessions.ts";
import { type StatusSources, statusSchema, statusWith } from "./status.ts";
import { viewTask } from "./task-row-view.ts";
import { taskView } from "./task-view.ts";

const count = z.int().min(0);
const some = z.object({ total: count, tasks: z.array(taskView) });

/** What happened in ten minutes, over all hosts of the workspace. */
export const historySlot = z.object({
  at: z.iso.datetime(),
  done: count,
  failed: count,
  /** The part of the sessions' time in which they were busy; null when no daemon ran. */
  utilisation: z.number().min(0).max(1).nullable(),
});
export type HistorySlot = Readonly<z.infer<typeof historySlot>>;

/** Everything that the dashboard shows: counts of all, and the first of each kind. */
export const overview = z.object({
  workspace: z.string(),
  status: statusSchema,
  /** Those that exist or could; each with the last lines of its pane, with colours as ANSI sequences. */
  sessions: z.array(z.object({ ...sessionView.shape, screen: z.string() })),
  /** In the order in which they will be run. */
  waiting: some,
  delayed: some,
  delegated: some,
  /** The last first. */
  finished: some,
  /** The other hosts on this Redis, of every workspace. */
  others: z.array(hostView),
  /** The last 24 hours, the oldest first. */
  history: z.array(historySlot),
});
export type Overview = Readonly<z.infer<typeof overview>>;

/** How many tasks of each kind are shown, and how many lines of each pane. */
const MAX_TASKS = 50;
const MAX_LINES = 12;

export interface OverviewSources extends StatusSources, SessionSources {
  readonly workspace: string;
  readonly host: string;
  readonly hosts: Hosts;
  readonly goneAfterMs: number;
  readonly index: TaskIndex;
  readonly history: History;
}

/** @throws {QueueError} TMUX_FAILED when nothing is known of the sessions */
export async function readOverview(sources: OverviewSources): Promise<Overview> {
  const { workspace, host, index, history, hosts, goneAfterMs, board, now } = sources;
  const some = async (...states: TaskState[]) => {
    const { total, rows } = await index.first(states, MAX_TASKS);
    return { total, tasks: rows.map((row) => viewTask(row, board.runOf(row.id))) };
  };
  const looks = await sources.pool.look();
  const [status, sessions, waiting, delayed, delegated, finished, known, slots] = await Promise.all([
    statusWith(looks, sources),
    screensOf(looks, sources, MAX_LINES),
    some("waiting"),
    some("delayed"),
    some("delegated"),
    some("done", "failed", "cancelled"),
    readHosts(hosts, goneAfterMs),
    history.read(now()),
  ]);
  const others = known.filter((one) => one.workspace !== workspace || one.host !== host);
  return { workspace, status, sessions, waiting, delayed, delegated, finished, others, history: slots.map(viewSlot) };
}

function viewSlot({ atMs, done, failed, busy, sessions }: Slot): HistorySlot {
  const utilisation = sessions === 0 ? null : Math.min(1, busy / sessions);
  return { at: new Date(atMs).toISOString(), done, failed, utilisation };
}
