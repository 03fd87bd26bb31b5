import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { ignoreMissing, isSystemError, QueueError } from "../core/errors.ts";
import { parseRunId } from "../core/id.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import { readFooter } from "../ledger/footer.ts";
import { inboxDir, isTaskName, SHELVES, shelfDir, taskPath } from "../ledger/layout.ts";
import { placeNew } from "../ledger/place-new.ts";
import { readOriginal, readShelved } from "../ledger/read-task.ts";
import { listProjects, type ProjectSet } from "../producers/projects.ts";
import type { TaskIndex } from "../queue/task-index.ts";
import type { TaskRow } from "../queue/task-row.ts";
import { isIdBeginning } from "./find-task.ts";
import { lookUp } from "./look-up.ts";

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
  const row = await lookUp(text, index).catch((error: unknown) => {
    if (error instanceof QueueError && error.code === "TASK_UNKNOWN") return null;
    throw error;
  });
  if (row !== null && row.finishedAtMs === null) throw notOver(row);
  const shelved = row === null ? await byFile(text, projects) : await byRow(row);
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

/** Redis need not know of a file for it to be put back. */
async function byFile(text: string, projects: ProjectSet): Promise<TaskAt | null> {
  if (isIdBeginning(text)) return null;
  const name = basename(text);
  for (const project of isTaskName(name) ? await listProjects(projects) : []) {
    const task = { project, name };
    for (const shelf of [...SHELVES].reverse()) {
      const path = join(shelfDir(project, shelf), name);
      const isMeant = [name, taskLabel(task), path].includes(text);
      if (isMeant && (await footerAt(project, path)) !== null) return { path, task };
    }
  }
  return null;
}

async function shelvedPaths(project: string): Promise<string[]> {
  const folders = SHELVES.map((shelf) => shelfDir(project, shelf));
  const names = await Promise.all(folders.map(namesIn));
  return folders.flatMap((folder, index) => (names[index] ?? []).map((name) => join(folder, name)));
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
  return names.filter(isTaskName).sort();
}

/** The footer of a finished file, null where there is no such file or it has none. */
async function footerAt(project: string, path: string) {
  const bytes = await readOriginal(project, path).catch(() => null);
  return bytes === null ? null : readFooter(bytes.toString("utf8"));
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
