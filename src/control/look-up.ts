import { basename } from "node:path";
import { QueueError } from "../core/errors.ts";
import { TASK_STATES, taskLabel } from "../core/task.ts";
import { claimedPath, claimedTaskName, taskPath } from "../ledger/layout.ts";
import type { ProjectSet } from "../producers/projects.ts";
import type { TaskIndex } from "../queue/task-index.ts";
import type { TaskRow } from "../queue/task-row.ts";
import { isIdBeginning } from "./find-task.ts";
import { shelvedNamed } from "./shelved-files.ts";

/**
 * The task that people mean by its id or the beginning of one, or by its file's name or path, also when it is over. Of
 * several that bore a name one after the other, the one that is not over is meant, or else the last. null where Redis
 * knows of none. @throws {QueueError} TASK_AMBIGUOUS
 */
export async function lookUp(text: string, index: TaskIndex): Promise<TaskRow | null> {
  const rows = isIdBeginning(text) ? await index.find(text) : await byName(text, index);
  const exact = rows.find(({ id }) => id === text);
  const [only, ...others] = exact === undefined ? rows : [exact];
  if (only === undefined) return null;
  if (others.length === 0) return only;
  const names = [only, ...others].map(({ id, task }) => `${id} (${taskLabel(task)})`);
  throw new QueueError(`${text} may mean ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`, {
    code: "TASK_AMBIGUOUS",
    hint: "say more of the id, or the project and the file: site/fix.md, or the whole path",
  });
}

/** A finished task's file may have another name than it had in the inbox. */
async function byName(text: string, index: TaskIndex): Promise<TaskRow[]> {
  const file = basename(text);
  const name = claimedTaskName(file) ?? file;
  const rows = (await index.named(name)).filter((row) => isNamed(row, text));
  const found = rows.length > 0 ? rows : (await index.list(TASK_STATES)).filter((row) => isNamed(row, text));
  return newestOfEach(found);
}

function isNamed({ task, ending }: TaskRow, text: string): boolean {
  const path = ending?.path ?? "";
  const names = [task.name, taskLabel(task), taskPath(task), claimedPath(task), basename(path), path];
  return text !== "" && names.includes(text);
}

/** One for each file: a finished task and the next of its name are not told apart by it. */
function newestOfEach(rows: readonly TaskRow[]): TaskRow[] {
  const newest = new Map<string, TaskRow>();
  for (const row of rows) {
    const known = newest.get(taskPath(row.task));
    if (known === undefined || lastSeenMs(row) > lastSeenMs(known)) newest.set(taskPath(row.task), row);
  }
  return [...newest.values()];
}

function lastSeenMs({ finishedAtMs }: TaskRow): number {
  return finishedAtMs ?? Number.POSITIVE_INFINITY;
}

/** What is said of a task that Redis knows nothing of: its file may tell, as that of one that was rejected does. */
export async function unknownTask(text: string, projects: ProjectSet): Promise<QueueError> {
  const shelved = await shelvedNamed(text, projects);
  const hint = "name a task's file, such as site/fix.md, or the beginning of its id; `ccl-queue list --all` shows them";
  if (shelved === null) return new QueueError(`no task is called ${text}`, { code: "TASK_UNKNOWN", hint });
  const { path, footer } = shelved;
  const became = [footer.result, footer.rows.get("error")].filter((part) => part !== undefined).join(": ");
  return new QueueError(`no task is called ${text}, but its file is there: ${became}`, {
    code: "TASK_UNKNOWN",
    hint: `see the last lines of ${path}; once it can be run, \`ccl-queue retry\` puts it back`,
  });
}
