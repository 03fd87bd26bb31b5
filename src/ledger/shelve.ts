import { randomUUID } from "node:crypto";
import { appendFile, copyFile, lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { claimAsItIs } from "./claim.ts";
import { type Footer, isFooterOf, isFooterSince, renderFooter, stripFooter } from "./footer.ts";
import { claimedPath, inboxDir, SHELVES, type Shelf, shelfDir } from "./layout.ts";
import { MAX_TASK_BYTES } from "./parse-task.ts";
import { numbered, placeNew } from "./place-new.ts";
import { readOriginal } from "./read-task.ts";

/** A footer that names its run: what was shelved for it already is found again. */
export type RunFooter = Footer & { readonly run: string };

/**
 * Ends a claimed task: its text and the footer appear in done/ or failed/ whole, then the claim goes.
 * May be repeated after a crash at any point: the same run is shelved once. Returns the new path.
 */
export async function shelveClaimed(task: TaskFile, shelf: Shelf, footer: Footer): Promise<string> {
  const claimed = claimedPath(task);
  const path = await shelve(task, shelf, footer, async (draft) => await fillFrom(task, claimed, draft, footer));
  await rm(claimed, { force: true });
  return path;
}

/**
 * The same for a task that somebody else may want to end, whose file is at one of its paths: it is taken away by a
 * rename first, which no two can do. Who comes second meets ENOENT.
 */
export async function takeAndShelve(task: TaskFile, from: string, shelf: Shelf, footer: RunFooter): Promise<string> {
  const taken = join(inboxDir(task.project), `.${footer.run}.taken`);
  const path = await shelve(task, shelf, footer, async (draft) => {
    if ((await lstat(taken).catch(ignoreMissing)) === null) await rename(from, taken);
    await fillFrom(task, taken, draft, footer);
  });
  await rm(taken, { force: true });
  return path;
}

/** Puts a text that is no file's any more into done/ or failed/. May be repeated like the above. */
export async function shelveText(task: TaskFile, shelf: Shelf, text: string, footer: RunFooter): Promise<string> {
  return await shelve(task, shelf, footer, async (draft) => {
    await writeFile(draft, withFooter(Buffer.from(text), footer), { flush: true });
  });
}

/** Where a task was shelved by a run or a later one of its own, or null. */
export async function findShelved(task: TaskFile, run: string): Promise<{ shelf: Shelf; path: string } | null> {
  for (const shelf of SHELVES) {
    const path = await shelvedFor(task, shelf, (text) => isFooterSince(text, run));
    if (path !== null) return { shelf, path };
  }
  return null;
}

/**
 * Ends a waiting task that cannot be run: it is claimed, so that a version saved meanwhile stays, and appears in
 * failed/ with the reason below its text. A file that is gone throws ENOENT, a name that still runs EBUSY.
 */
export async function rejectTask(task: TaskFile, footer: Footer): Promise<string> {
  if (!(await claimAsItIs(task))) throw Object.assign(new Error(`${task.name} still runs`), { code: "EBUSY" });
  return await shelveClaimed(task, "failed", footer);
}

async function shelve(
  task: TaskFile,
  shelf: Shelf,
  footer: Footer,
  fill: (draft: string) => Promise<void>,
): Promise<string> {
  // Named for the run, so that a repetition clears away what a crash left of it.
  const { run } = footer;
  const draft = draftPath(task, shelf, run ?? randomUUID());
  try {
    const shelved = run === undefined ? null : await shelvedFor(task, shelf, (text) => isFooterOf(text, run));
    if (shelved !== null) return shelved;
    await mkdir(dirname(draft), { recursive: true });
    await fill(draft);
    return await placeNew(draft, shelvedPath(task, shelf));
  } finally {
    await rm(draft, { force: true });
  }
}

/** Clears away the draft of a result that is in its place: a crash came between the two. */
export async function removeDraft(task: TaskFile, shelf: Shelf, run: string): Promise<void> {
  await rm(draftPath(task, shelf, run), { force: true });
}

function draftPath({ project }: TaskFile, shelf: Shelf, run: string): string {
  return join(shelfDir(project, shelf), `.${run}.draft`);
}

async function fillFrom(task: TaskFile, from: string, draft: string, footer: Footer): Promise<void> {
  if (await isLarge(from)) {
    await copyFile(from, draft);
    await appendFile(draft, renderFooter(footer));
  } else {
    const original = await readOriginal(task.project, from).catch(ignoreMissing);
    await writeFile(draft, withFooter(original ?? Buffer.alloc(0), footer), { flush: true });
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

async function shelvedFor(task: TaskFile, shelf: Shelf, isIt: (text: string) => boolean): Promise<string | null> {
  for (let copy = 1; ; copy += 1) {
    const path = numbered(shelvedPath(task, shelf), copy);
    const text = await readFile(path, "utf8").catch(ignoreFolder);
    if (text === null) return null;
    if (isIt(text)) return path;
  }
}

function shelvedPath(task: TaskFile, shelf: Shelf): string {
  return join(shelfDir(task.project, shelf), task.name);
}

function ignoreMissing(error: unknown): null {
  if (isSystemError(error, "ENOENT")) return null;
  throw error;
}

/** A folder takes a name as a file does. */
function ignoreFolder(error: unknown): string | null {
  return isSystemError(error, "EISDIR") ? "" : ignoreMissing(error);
}
