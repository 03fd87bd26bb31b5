import { readFile } from "node:fs/promises";
import { readFooter } from "../ledger/footer.ts";
import { claimedPath, taskPath } from "../ledger/layout.ts";
import { readMarker } from "../ledger/marker.ts";
import { parseTask } from "../ledger/parse-task.ts";
import { readOriginal } from "../ledger/read-task.ts";
import type { TaskRow } from "../queue/task-row.ts";
import type { LiveRun } from "../workers/run/board.ts";
import { viewTask } from "./task-row-view.ts";
import type { TaskDetail } from "./task-view.ts";
import { readTimeline, type TimelineSources } from "./timeline.ts";

/** How much of what an agent said or did is shown in a step. */
const MAX_STEP_LENGTH = 500;
/** An agent makes many: the last are shown. */
const MAX_STEPS = 1_000;

/** All that is known of a task. */
export async function showTask(row: TaskRow, run: LiveRun | null, sources: TimelineSources): Promise<TaskDetail> {
  const { store } = sources;
  const [bytes, timeline, runs] = await Promise.all([
    readText(row),
    readTimeline(sources, row.id, MAX_STEP_LENGTH),
    store.runsOf(row.id),
  ]);
  const parsed = bytes === null ? null : parseTask(bytes);
  const lastRun = runs.at(-1);
  const isOver = row.finishedAtMs !== null;
  return {
    ...viewTask(row, run),
    prompt: parsed?.ok ? parsed.prompt : null,
    result: isOver && bytes !== null ? (readFooter(bytes.toString("utf8"))?.text ?? null) : null,
    timeline: timeline.slice(-MAX_STEPS),
    run_dir: lastRun === undefined ? null : store.pathOf(lastRun),
  };
}

/** The task's file, wherever it is now; what was submitted, where that was changed since. */
async function readText({ task, finishedAtMs, ending }: TaskRow): Promise<Buffer | null> {
  if (finishedAtMs !== null) return ending?.path ? await readFile(ending.path).catch(() => null) : null;
  const marker = await readMarker(task).catch(() => null);
  if (marker !== null) return Buffer.from(marker.text);
  for (const path of [claimedPath(task), taskPath(task)]) {
    const bytes = await readOriginal(task.project, path).catch(() => null);
    if (bytes !== null) return bytes;
  }
  return null;
}
