import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { isSystemError } from "../core/errors.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import { type ReadFooter, readFooter } from "../ledger/footer.ts";
import { isTaskName, SHELVES, shelfDir } from "../ledger/layout.ts";
import { readOriginal } from "../ledger/read-task.ts";
import { listProjects, type ProjectSet } from "../producers/projects.ts";
import { isIdBeginning } from "./find-task.ts";

/** A file in done/ or failed/, and what its footer says. */
export interface ShelvedFile {
  readonly path: string;
  readonly task: TaskFile;
  readonly footer: ReadFooter;
}

/** The finished file that people mean by its name, also where Redis knows of none, or null. */
export async function shelvedNamed(text: string, projects: ProjectSet): Promise<ShelvedFile | null> {
  if (isIdBeginning(text)) return null;
  const name = basename(text);
  for (const project of isTaskName(name) ? await listProjects(projects) : []) {
    const task = { project, name };
    for (const shelf of [...SHELVES].reverse()) {
      const path = join(shelfDir(project, shelf), name);
      const footer = [name, taskLabel(task), path].includes(text) ? await footerAt(project, path) : null;
      if (footer !== null) return { path, task, footer };
    }
  }
  return null;
}

/** The paths of all files in done/ and failed/. */
export async function shelvedPaths(project: string): Promise<string[]> {
  const folders = SHELVES.map((shelf) => shelfDir(project, shelf));
  const names = await Promise.all(folders.map(namesIn));
  return folders.flatMap((folder, index) => (names[index] ?? []).map((name) => join(folder, name)));
}

/** The names of tasks in a folder, in order; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
  return names.filter(isTaskName).sort();
}

/** The footer of a finished file, null where there is no such file or it has none. */
export async function footerAt(project: string, path: string): Promise<ReadFooter | null> {
  const bytes = await readOriginal(project, path).catch(() => null);
  return bytes === null ? null : readFooter(bytes.toString("utf8"));
}
