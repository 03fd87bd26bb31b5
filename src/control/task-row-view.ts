import { taskLabel } from "../core/task.ts";
import { claimedPath, taskPath } from "../ledger/layout.ts";
import type { TaskRow } from "../queue/task-row.ts";
import type { LiveRun } from "../workers/run/board.ts";
import type { TaskView } from "./task-view.ts";

/** A task as operators see it; `run` is the one that is under way here, if there is one. */
export function viewTask(row: TaskRow, run: LiveRun | null): TaskView {
  const { id, task, state, header, provider, reason, ending } = row;
  const spent = ending?.spent ?? null;
  return {
    ...{ id, state, provider, reason },
    ...{ task: taskLabel(task), project: task.project, name: task.name },
    ...{ title: header.title, priority: header.priority, tags: header.tags },
    route: row.queue === "inbox" ? null : row.queue,
    attempts: attemptsOf(row, run),
    enqueued_at: iso(row.enqueuedAtMs),
    started_at: row.startedAtMs === null ? null : iso(row.startedAtMs),
    finished_at: row.finishedAtMs === null ? null : iso(row.finishedAtMs),
    session: run?.record.session ?? (row.queue === "local" ? (ending?.by ?? null) : null),
    model: run?.record.model ?? spent?.model ?? null,
    error: row.error,
    path: pathOf(row),
    duration_ms: spent === null ? null : Math.max(0, Math.round(spent.durationMs)),
    tokens: spent?.tokens ?? null,
    cost_usd: spent?.costUsd ?? null,
  };
}

/** Where a task's file is now. */
function pathOf({ state, task, finishedAtMs, ending }: TaskRow): string | null {
  if (finishedAtMs !== null) return ending?.path ?? null;
  return state === "running" ? claimedPath(task) : taskPath(task);
}

/** A job counts the attempts that are used up: one that is under way, or was the last, comes on top. */
function attemptsOf({ state, attempts }: TaskRow, run: LiveRun | null): number {
  if (run !== null) return run.record.attempt;
  return state === "waiting" || state === "delayed" ? attempts : attempts + 1;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
