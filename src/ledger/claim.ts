import { lstat, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ignoreMissing, isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { fingerprint, isComplete, sight } from "./completeness.ts";
import { claimedPath, inboxDir, isTaskName, takenPath, taskPath } from "./layout.ts";
import { isMarked } from "./marker.ts";
import { placeNew } from "./place-new.ts";

/** A claim that is being given back for another host. */
const ASIDE_SUFFIX = ".given-back";
/** How long the end of a run may be at a task's file before it counts as cut short. */
const ENDING_MS = 2_000;

/**
 * claimed = ours to run; gone = its file was taken away; unfinished = it is being written, its name still runs, or it is
 * with secutools, whatever a Redis that was set back says.
 */
export type Claim = "claimed" | "gone" | "unfinished";

/**
 * Takes a waiting task for a run by renaming its file, which no two can do.
 * `seen` is the fingerprint of the content that was enqueued: what changed since must be complete again.
 */
export async function claim(task: TaskFile, seen: string): Promise<Claim> {
  const sighting = await sight(taskPath(task));
  if (sighting === null) return (await isClaimed(task)) ? "unfinished" : "gone";
  if (fingerprint(sighting) !== seen && !(await isComplete(sighting, Date.now()))) return "unfinished";
  if (await isMarked(task)) return "unfinished";
  try {
    if (!(await claimAsItIs(task))) return "unfinished";
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return "gone";
    throw error;
  }
  // Who marks a task looks for a claim afterwards, so that one of the two sees the other.
  if (!(await isMarked(task))) return "claimed";
  await unclaim(task);
  return "unfinished";
}

/** Takes a task whatever its file's state. False when its name still runs; a file that is gone throws ENOENT. */
export async function claimAsItIs(task: TaskFile): Promise<boolean> {
  if (await isClaimed(task)) return false;
  await rename(taskPath(task), claimedPath(task));
  return true;
}

/** Gives a claimed task back to the inbox, under a new name where a new file took its own: then false. */
export async function unclaim(task: TaskFile): Promise<boolean> {
  // A folder of that name is no claim.
  if ((await sight(claimedPath(task))) === null) return true;
  const path = await placeNew(claimedPath(task), taskPath(task));
  await rm(claimedPath(task), { force: true });
  return path === taskPath(task);
}

/**
 * Gives back a claim that another host made for a run, which may be ending its task in this very moment: only one of
 * the two gets the file. What a crash leaves of it is brought back by `restoreGivenBack`. None = there was no file to
 * give back; ending = the run is at its file.
 */
export async function giveBack(task: TaskFile, run: string): Promise<"given" | "none" | "ending"> {
  const aside = asidePath(task);
  await rename(claimedPath(task), aside).catch(ignoreMissing);
  const taken = await sight(takenPath(task, run));
  if (taken !== null && Date.now() - Number(taken.stats.ctimeMs) < ENDING_MS) return "ending";
  if (taken !== null) await rename(taken.path, aside).catch(ignoreMissing);
  return (await restore(task, aside)) ? "given" : "none";
}

/** Brings back those of an inbox's files that a crash in the middle of `giveBack` left hidden. */
export async function restoreGivenBack(project: string, names: readonly string[]): Promise<void> {
  for (const hidden of names) {
    const name = hidden.startsWith(".") && hidden.endsWith(ASIDE_SUFFIX) ? hidden.slice(1, -ASIDE_SUFFIX.length) : "";
    if (isTaskName(name)) await restore({ project, name }, join(inboxDir(project), hidden));
  }
}

/** False when there is nothing to restore, or somebody else does it. */
async function restore(task: TaskFile, aside: string): Promise<boolean> {
  if ((await sight(aside)) === null) return false;
  try {
    await placeNew(aside, taskPath(task));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
  await rm(aside, { force: true });
  return true;
}

function asidePath({ project, name }: TaskFile): string {
  return join(inboxDir(project), `.${name}${ASIDE_SUFFIX}`);
}

/** Whether the end of a run has a task's file: then it is that run's to end, whatever Redis says. */
export async function isTaken(task: TaskFile, run: string): Promise<boolean> {
  return (await sight(takenPath(task, run))) !== null;
}

/** Whether a claimed task was taken back: neither its claim nor what its run's end has of it is in an inbox that is there. */
export async function isTakenBack(task: TaskFile, run: string): Promise<boolean> {
  return await areGone(task, [claimedPath(task), takenPath(task, run)]);
}

/** Whether a task was withdrawn: neither its file nor its claim is in an inbox that is still there. */
export async function isWithdrawn(task: TaskFile): Promise<boolean> {
  return await areGone(task, [taskPath(task), claimedPath(task)]);
}

/** Whether a task's inbox can be seen: one on a disk that is not mounted says nothing of its tasks. */
export async function hasInbox({ project }: TaskFile): Promise<boolean> {
  return await isDirectory(inboxDir(project));
}

/**
 * Whether a task's whole project was deleted or renamed. A disk that is not mounted leaves an empty folder, or takes the
 * folder above the project with it.
 */
export async function isProjectGone({ project }: TaskFile): Promise<boolean> {
  return (await isMissing(project)) && (await isDirectory(dirname(project)));
}

/** A project that comes back between two looks would be there without its files: one listing tells of both. */
async function areGone({ project }: TaskFile, paths: readonly string[]): Promise<boolean> {
  for (const path of paths) if (!(await isMissing(path))) return false;
  const names = await readdir(inboxDir(project)).catch(() => null);
  return names !== null && paths.every((path) => !names.includes(basename(path)));
}

async function isMissing(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => false,
    (error: unknown) => isSystemError(error, "ENOENT"),
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Whether a task is claimed. */
export async function isClaimed(task: TaskFile): Promise<boolean> {
  return await lstat(claimedPath(task)).then(
    () => true,
    () => false,
  );
}
