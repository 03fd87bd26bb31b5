import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute } from "node:path";
import { QueueError } from "../core/errors.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import { sight } from "../ledger/completeness.ts";
import { claimedPath, claimedTaskName, inboxDir, isTaskName, markedTaskName, taskPath } from "../ledger/layout.ts";
import { listProjects, type ProjectSet } from "../producers/projects.ts";
import type { TaskQueues } from "../queue/task-queues.ts";

/** A task that is not over, and its job's id where one is known. */
export interface FoundTask {
  readonly task: TaskFile;
  readonly id: string | null;
}

/** What a task's id is made of; a file's name has a dot. */
const ID = /^[a-z0-9]+$/;

/** Whether a text may be a task's id or the beginning of one. */
export function isIdBeginning(text: string): boolean {
  return ID.test(text);
}

/**
 * The one task that people mean by a job's id, or the beginning of one, or by a file's name, also with its project
 * (`site/fix.md`) or as a whole path. @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS
 */
export async function findTask(text: string, projects: ProjectSet, queues: TaskQueues): Promise<FoundTask> {
  const found = isIdBeginning(text) ? await queues.findLive(text) : await byName(text, projects);
  const [only, ...others] = found;
  if (only === undefined) {
    throw new QueueError(`no waiting or running task is called ${text}`, {
      code: "TASK_UNKNOWN",
      hint: "name a file of an inbox, such as site/fix.md, or the beginning of a job's id",
    });
  }
  if (others.length === 0) return only;
  throw new QueueError(`${text} may mean ${namesOf(found).join(", ")}`, {
    code: "TASK_AMBIGUOUS",
    hint: "say more of the id, or the project and the file: site/fix.md, or the whole path",
  });
}

async function byName(text: string, projects: ProjectSet): Promise<FoundTask[]> {
  const file = basename(text);
  const name = claimedTaskName(file) ?? markedTaskName(file) ?? file;
  if (!isTaskName(name)) return [];
  const folder = isAbsolute(text) ? await realFolder(dirname(text)) : null;
  const tasks = await Promise.all(
    (await listProjects(projects)).map(async (project): Promise<FoundTask[]> => {
      const task = { project, name };
      const isNamed = [file, taskLabel({ project, name: file })].includes(text);
      const isMeant = isNamed || (folder !== null && folder === (await realFolder(inboxDir(project))));
      return isMeant && (await isPresent(task)) ? [{ task, id: null }] : [];
    }),
  );
  return tasks.flat();
}

/** Where a folder really is, null where there is none: people may come by a link. */
async function realFolder(path: string): Promise<string | null> {
  return await realpath(path).catch(() => null);
}

async function isPresent(task: TaskFile): Promise<boolean> {
  return (await sight(taskPath(task))) !== null || (await sight(claimedPath(task))) !== null;
}

/** Names that tell the tasks apart: two projects may have the same one. */
function namesOf(found: readonly FoundTask[]): string[] {
  const labels = found.map(({ task }) => taskLabel(task));
  const areTold = new Set(labels).size === labels.length;
  return found.map(({ task, id }) => {
    if (id !== null) return `${id} (${taskLabel(task)})`;
    return areTold ? taskLabel(task) : taskPath(task);
  });
}
