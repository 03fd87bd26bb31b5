import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { appendFile, copyFile, lstat, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ignoreMissing, isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { writeTrouble } from "../core/write-trouble.ts";
import { claimAsItIs, hasInbox } from "./claim.ts";
import { findPutBack, shelvedFor, shelvedPath } from "./find-shelved.ts";
import { type Footer, isFooterOf, renderFooter, stripFooter } from "./footer.ts";
import { inboxUnreadable } from "./inbox-unreadable.ts";
import { claimedPath, type Shelf, shelfDir, takenPath, taskPath } from "./layout.ts";
import { MAX_TASK_BYTES } from "./parse-task.ts";
import { linkOrCopy, placeNew } from "./place-new.ts";
import { projectAway } from "./project-away.ts";
import { MAX_NAME_BYTES, readOriginal } from "./read-task.ts";

/** Whether an end may have been begun before: then somebody may have put its result back into the inbox meanwhile. */
export interface Repetition {
  readonly isRepeated: boolean;
}

/** A footer that names its run: what was shelved for it already is found again. */
export type RunFooter = Footer & { readonly run: string };

/**
 * Ends a claimed task: its text and the footer appear in done/ or failed/ whole, then the claim goes. Where somebody
 * deleted the file meanwhile, the footer alone does: what a run has said is kept.
 * May be repeated after a crash at any point: the same run is shelved once. Returns the new path.
 */
export async function shelveClaimed(task: TaskFile, shelf: Shelf, footer: Footer): Promise<string> {
  const claimed = claimedPath(task);
  let isWhole = true;
  const fill = async (draft: string) => {
    await fillFrom(task, claimed, draft, footer).catch(async (error: unknown) => {
      ignoreMissing(error);
      isWhole = false;
      await writeFile(draft, renderFooter(footer), { flush: true });
    });
  };
  const path = await shelve(task, shelf, footer, fill, { isRepeated: true });
  // A claim that is there by now is another one.
  if (isWhole) await clear(task, claimed);
  return path;
}

/** Ends a claimed task that cannot be run. A file that was taken away meanwhile throws ENOENT, and nothing is left. */
export async function rejectClaimed(task: TaskFile, footer: Footer): Promise<string> {
  const claimed = claimedPath(task);
  const path = await shelve(task, "failed", footer, async (draft) => await fillFrom(task, claimed, draft, footer));
  await clear(task, claimed);
  return path;
}

/**
 * The same for a task that somebody else may want to end, whose file is at one of its paths: it is taken away by a
 * rename first, which no two can do. Who comes second meets ENOENT.
 */
export async function takeAndShelve(task: TaskFile, from: string, shelf: Shelf, footer: RunFooter): Promise<string> {
  const taken = takenPath(task, footer.run);
  const isRepeated = await isThere(taken).catch((error: unknown) => {
    throw inboxUnreadable(dirname(taken), error);
  });
  const fill = async (draft: string) => {
    if (!isRepeated) await rename(from, taken);
    await fillFrom(task, taken, draft, footer);
  };
  const path = await shelve(task, shelf, footer, fill, { isRepeated });
  await clear(task, taken);
  return path;
}

/** Puts a text that is no file's any more into done/ or failed/. May be repeated like the above, if that is said. */
export async function shelveText(
  task: TaskFile,
  shelf: Shelf,
  text: string,
  footer: RunFooter,
  repetition?: Repetition,
): Promise<string> {
  const fill = async (draft: string) => {
    await writeFile(draft, withFooter(Buffer.from(text), footer), { flush: true });
  };
  return await shelve(task, shelf, footer, fill, repetition);
}

/**
 * Ends a waiting task that cannot be run: it is claimed, so that a version saved meanwhile stays, and appears in
 * failed/ with the reason below its text. A file that is gone throws ENOENT, a name that still runs EBUSY.
 */
export async function rejectTask(task: TaskFile, footer: Footer): Promise<string> {
  if (Buffer.byteLength(task.name) > MAX_NAME_BYTES) return await rejectLong(task, footer);
  if (!(await claimAsItIs(task))) throw Object.assign(new Error(`${task.name} still runs`), { code: "EBUSY" });
  return await rejectClaimed(task, footer);
}

/** Its name leaves no room for a claim's. */
async function rejectLong(task: TaskFile, footer: Footer): Promise<string> {
  const taken = takenPath(task, footer.run ?? randomUUID());
  await rename(taskPath(task), taken);
  const path = await shelve(task, "failed", footer, async (draft) => await fillFrom(task, taken, draft, footer));
  await rm(taken, { force: true });
  return path;
}

async function shelve(
  task: TaskFile,
  shelf: Shelf,
  footer: Footer,
  fill: (draft: string) => Promise<void>,
  { isRepeated }: Repetition = { isRepeated: false },
): Promise<string> {
  // Named for the run, so that a repetition clears away what a crash left of it.
  const { run } = footer;
  const draft = draftPath(task, shelf, run ?? randomUUID());
  try {
    const shelved = run === undefined ? null : await shelvedFor(task, shelf, (text) => isFooterOf(text, run));
    if (shelved !== null) return shelved;
    const putBack = run === undefined || !isRepeated ? null : await findPutBack(task, run);
    if (putBack !== null) return putBack;
    // Not the folders above: a project that was deleted, or is on a disk that is away, is not made anew.
    await mkdir(dirname(draft)).catch((error: unknown) => unlessThere(task, error));
    await fill(draft);
    return await placeNew(draft, shelvedPath(task, shelf));
  } catch (error) {
    throw writeTrouble(dirname(draft), error);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes what a result was made of: where its project was away in that moment, once more. */
async function clear(task: TaskFile, path: string): Promise<void> {
  do {
    await rm(path, { force: true });
    if (!(await hasInbox(task))) throw projectAway(task);
  } while (await isThere(path));
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(ignoreMissing)) !== null;
}

/** Clears away the draft of a result that is in its place: a crash came between the two. */
export async function removeDraft(task: Pick<TaskFile, "project">, shelf: Shelf, run: string): Promise<void> {
  await rm(draftPath(task, shelf, run), { force: true });
}

function draftPath({ project }: Pick<TaskFile, "project">, shelf: Shelf, run: string): string {
  return join(shelfDir(project, shelf), `.${run}.draft`);
}

async function fillFrom(task: TaskFile, from: string, draft: string, footer: Footer): Promise<void> {
  if (await isLarge(from)) {
    await fillFromLarge(from, draft, footer);
  } else {
    await writeFile(draft, withFooter(await readOriginal(task.project, from), footer), { flush: true });
  }
}

/** Its holes would become bytes in a copy, so the file itself gets the footer, unless it is somebody else's, too. */
async function fillFromLarge(from: string, draft: string, footer: Footer): Promise<void> {
  if (await appendTo(from, renderFooter(footer))) return await linkOrCopy(from, draft);
  await copyFile(from, draft);
  await appendFile(draft, renderFooter(footer));
}

/** False when the file has another name besides, or may not be written. */
async function appendTo(path: string, text: string): Promise<boolean> {
  const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;
  const handle = await open(path, O_WRONLY | O_APPEND | O_NOFOLLOW).catch(() => null);
  if (handle === null) return false;
  try {
    if ((await handle.stat()).nlink !== 1) return false;
    await handle.writeFile(text);
    await handle.sync();
    return true;
  } finally {
    await handle.close();
  }
}

/** Too large to be read whole: the footer goes below whatever is there. */
async function isLarge(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(ignoreMissing);
  return stats?.isFile() === true && stats.size > 2 * MAX_TASK_BYTES;
}

/** The footer is ASCII around quoted text, so latin1 keeps every byte of a file in any encoding. */
function withFooter(original: Buffer, footer: Footer): Buffer {
  const text = Buffer.from(stripFooter(original.toString("latin1")), "latin1");
  return Buffer.concat([text, Buffer.from(renderFooter(footer))]);
}

function unlessThere(task: TaskFile, error: unknown): void {
  if (isSystemError(error, "EEXIST")) return;
  throw isSystemError(error, "ENOENT") ? projectAway(task, error) : error;
}
