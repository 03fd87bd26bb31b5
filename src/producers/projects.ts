import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { INBOX, inboxDir, QUEUE_DIR } from "../ledger/layout.ts";

/** Which projects are watched: those listed, and every directory in the projects folder. */
export interface ProjectSet {
  readonly projectsDir: string | null;
  readonly listed: readonly string[];
}

/** Every project that could have an inbox now. */
export async function listProjects({ projectsDir, listed }: ProjectSet): Promise<string[]> {
  if (projectsDir === null) return [...listed];
  const entries = await readdir(projectsDir, { withFileTypes: true }).catch(() => []);
  const found = entries
    .filter((entry) => isProjectName(entry.name) && !entry.isFile())
    .map(({ name }) => join(projectsDir, name));
  return [...new Set([...listed, ...found])];
}

/** Whether a path lies on the way from a watched folder to an inbox: all that the watcher has to look at. */
export function isOnTheWay(path: string, projects: ProjectSet): boolean {
  if (path === projects.projectsDir || isProject(path, projects)) return true;
  if (basename(path) === QUEUE_DIR) return isProject(dirname(path), projects);
  return projectOfInbox(path, projects) !== null;
}

/** The watched project that has its inbox at this path, or null. */
export function projectOfInbox(path: string, projects: ProjectSet): string | null {
  const project = dirname(dirname(path));
  return basename(path) === INBOX && path === inboxDir(project) && isProject(project, projects) ? project : null;
}

function isProject(path: string, { projectsDir, listed }: ProjectSet): boolean {
  return listed.includes(path) || (dirname(path) === projectsDir && isProjectName(basename(path)));
}

function isProjectName(name: string): boolean {
  return !name.startsWith(".");
}
