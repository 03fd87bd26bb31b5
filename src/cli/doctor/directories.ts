import { access, constants, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import { daemonSocket } from "../../host.ts";
import { inboxDir, QUEUE_DIR, SHELVES, shelfDir } from "../../ledger/layout.ts";
import { listProjects } from "../../producers/projects.ts";
import { type Finding, ok, problem, warning } from "./check.ts";
import { isThere, nearestExisting } from "./nearest.ts";

const OTHERS = 0o077;

/** Where the queue keeps its own files. */
export async function lookAtStateDir({ stateDir }: Config): Promise<Finding[]> {
  try {
    daemonSocket(stateDir);
  } catch (error) {
    return [problem(messageOf(error), "set state_dir to a shorter path")];
  }
  const there = await nearestExisting(stateDir);
  const trouble = await troubleWith(there);
  if (trouble !== null)
    return [problem(`${there} ${trouble}`, "give it to the daemon's user, or set state_dir to another")];
  if (there !== stateDir) return [ok(`${stateDir}: made at the first start`)];
  const { mode } = await stat(stateDir);
  if ((mode & OTHERS) === 0) return [ok(stateDir)];
  return [warning(`${stateDir} is open to other users: prompts and results are in it`, `chmod 700 ${stateDir}`)];
}

/** The projects and their inboxes. */
export async function lookAtProjects({ projectsDir, dedicated }: Config): Promise<Finding[]> {
  const listed = dedicated.map(({ project }) => project);
  const folders = await Promise.all([...listed, ...(projectsDir === null ? [] : [projectsDir])].map(lookAtFolder));
  const projects = await listProjects({ projectsDir, listed });
  const inboxes = (await Promise.all(projects.map(lookAtInbox))).flat();
  const bad = inboxes.filter(({ level }) => level !== "ok");
  const good = inboxes.length - bad.length;
  const none = warning("no project has an inbox", `mkdir -p PROJECT/${QUEUE_DIR}/inbox`);
  return [
    ...folders.filter((finding) => finding !== null),
    ...bad,
    ...(inboxes.length === 0 ? [none] : []),
    ...(good > 0 ? [ok(good === 1 ? "1 inbox" : `${good} inboxes`)] : []),
  ];
}

/** What is wrong with a folder that is configured, null for nothing. */
async function lookAtFolder(path: string): Promise<Finding | null> {
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return isFolder ? null : problem(`${path} is no directory`, "make it, or correct the configuration");
}

/** Nothing for a project without an inbox: it has not asked for anything. */
async function lookAtInbox(project: string): Promise<Finding[]> {
  const inbox = inboxDir(project);
  if (!(await isThere(inbox))) return [];
  const bad: Finding[] = [];
  for (const folder of [inbox, join(project, QUEUE_DIR), ...SHELVES.map((shelf) => shelfDir(project, shelf))]) {
    // done/ and failed/ are made with their first task.
    const trouble = (await isThere(folder)) ? await troubleWith(folder) : null;
    if (trouble !== null)
      bad.push(problem(`${folder} ${trouble}`, "tasks are moved in it: give it to the daemon's user"));
  }
  return bad.length > 0 ? bad : [ok(inbox)];
}

/** Why files cannot be made and moved in a directory, null when they can. */
async function troubleWith(path: string): Promise<string | null> {
  const stats = await stat(path).catch(() => null);
  if (stats === null || !stats.isDirectory()) return "is no directory";
  return await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => null,
    () => "cannot be written by this user",
  );
}
