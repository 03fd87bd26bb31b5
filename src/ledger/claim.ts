import { lstat, rename, rm, stat } from "node:fs/promises";
import { isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { fingerprint, isComplete, sight } from "./completeness.ts";
import { claimedPath, inboxDir, taskPath } from "./layout.ts";
import { placeNew } from "./place-new.ts";

/** claimed = ours to run; gone = its file was taken away; unfinished = it is being written, or its name still runs. */
export type Claim = "claimed" | "gone" | "unfinished";

/**
 * Takes a waiting task for a run by renaming its file, which no two can do.
 * `seen` is the fingerprint of the content that was enqueued: what changed since must be complete again.
 */
export async function claim(task: TaskFile, seen: string): Promise<Claim> {
  const sighting = await sight(taskPath(task));
  if (sighting === null) return (await isClaimed(task)) ? "unfinished" : "gone";
  if (fingerprint(sighting) !== seen && !(await isComplete(sighting, Date.now()))) return "unfinished";
  try {
    return (await claimAsItIs(task)) ? "claimed" : "unfinished";
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return "gone";
    throw error;
  }
}

/** Takes a task whatever its file's state. False when its name still runs; a file that is gone throws ENOENT. */
export async function claimAsItIs(task: TaskFile): Promise<boolean> {
  if (await isClaimed(task)) return false;
  await rename(taskPath(task), claimedPath(task));
  return true;
}

/** Gives a claimed task back to the inbox, under a new name where a new file took its own. */
export async function unclaim(task: TaskFile): Promise<void> {
  if (!(await isClaimed(task))) return;
  await placeNew(claimedPath(task), taskPath(task));
  await rm(claimedPath(task), { force: true });
}

/** Whether a claimed task was taken back: its claim was removed from an inbox that is still there. */
export async function isTakenBack(task: TaskFile): Promise<boolean> {
  return await isGone(claimedPath(task), task);
}

/** Whether a task was withdrawn: neither its file nor its claim is in an inbox that is still there. */
export async function isWithdrawn(task: TaskFile): Promise<boolean> {
  return (await isGone(taskPath(task), task)) && (await isGone(claimedPath(task), task));
}

/** Whether a task's inbox can be seen: one on a disk that is not mounted says nothing of its tasks. */
export async function hasInbox({ project }: TaskFile): Promise<boolean> {
  return await isDirectory(inboxDir(project));
}

async function isGone(path: string, task: TaskFile): Promise<boolean> {
  return await lstat(path).then(
    () => false,
    async (error: unknown) => isSystemError(error, "ENOENT") && (await hasInbox(task)),
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
