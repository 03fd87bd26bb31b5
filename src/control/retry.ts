import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ignoreMissing, QueueError } from "../core/errors.ts";
import { parseRunId } from "../core/id.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import { inboxDir, shelfDir, taskPath } from "../ledger/layout.ts";
import { placeNew } from "../ledger/place-new.ts";
import { readShelved } from "../ledger/read-task.ts";
import type { ProjectSet } from "../producers/projects.ts";
import type { TaskIndex } from "../queue/task-index.ts";
import type { TaskRow } from "../queue/task-row.ts";
import { lookUp } from "./look-up.ts";
import { footerAt, namesIn, shelvedNamed, shelvedPaths } from "./shelved-files.ts";

/** A task and where its file is: before it is put back, or after. */
interface TaskAt {
  readonly path: string;
  readonly task: TaskFile;
}

/**
 * Puts a finished task back into its inbox, where it runs anew as if somebody had moved its file there. Returns the
 * task and its new path. @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS, TASK_NOT_OVER, TASK_INVALID
 */
export async function retryTask(text: string, projects: ProjectSet, index: TaskIndex): Promise<TaskAt> {
  const row = await lookUp(text, index);
  if (row !== null && row.finishedAtMs === null) throw notOver(row);
  const shelved = row === null ? await shelvedNamed(text, projects) : await byRow(row);
  if (shelved !== null) await refuseUnreadable(shelved);
  const back = shelved === null ? null : await putBack(shelved);
  if (back === null) {
    throw new QueueError(`no finished task is called ${text}, or its file is gone`, {
      code: "TASK_UNKNOWN",
      hint: "name its file in failed/ or done/, such as site/fix.md, or the beginning of its id",
    });
  }
  return back;
}

/** Puts every failed task back: not those that somebody cancelled, nor those that cannot be read. */
export async function retryAll(projects: readonly string[]): Promise<TaskAt[]> {
  const all: TaskAt[] = [];
  for (const project of projects) {
    for (const name of await namesIn(shelfDir(project, "failed"))) {
      const path = join(shelfDir(project, "failed"), name);
      if ((await footerAt(project, path))?.result !== "failed") continue;
      const back = await putBack({ path, task: { project, name } });
      if (back !== null) all.push(back);
    }
  }
  return all;
}

/**
 * It stands in both folders for a moment; of two who do this at once, both mean the same new file, and null is for the
 * one who finds that it is gone.
 */
async function putBack({ path, task }: TaskAt): Promise<TaskAt | null> {
  await mkdir(inboxDir(task.project), { recursive: true });
  const back = await placeNew(path, taskPath(task)).catch(ignoreMissing);
  if (back === null) return null;
  await rm(path, { force: true });
  return { task, path: back };
}

async function byRow({ id, task, ending }: TaskRow): Promise<TaskAt | null> {
  const near = ending?.path ? [ending.path] : [];
  for (const path of [...near, ...(await shelvedPaths(task.project))]) {
    const run = (await footerAt(task.project, path))?.rows.get("run") ?? "";
    if (parseRunId(run)?.id === id) return { path, task };
  }
  return null;
}

/** It would only be rejected once more. */
async function refuseUnreadable({ path, task }: TaskAt): Promise<void> {
  const parsed = await readShelved(task.project, path).catch(ignoreMissing);
  if (parsed === null || parsed.ok) return;
  throw new QueueError(`${taskLabel(task)} cannot be run: ${parsed.reason}`, {
    code: "TASK_INVALID",
    hint: `mend ${path}, then try it again`,
  });
}

function notOver({ id, state, task }: TaskRow): QueueError {
  return new QueueError(`${taskLabel(task)} (${id}) is not over: it is ${state}`, {
    code: "TASK_NOT_OVER",
    hint: "wait for its end, or cancel it first",
  });
}
