import { randomUUID } from "node:crypto";
import { appendFile, copyFile, lstat, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { claimAsItIs } from "./claim.ts";
import { type Footer, isFooterOf, renderFooter, stripFooter } from "./footer.ts";
import { claimedPath, type Shelf, shelfDir } from "./layout.ts";
import { MAX_TASK_BYTES } from "./parse-task.ts";
import { numbered, placeNew } from "./place-new.ts";
import { readOriginal } from "./read-task.ts";

/**
 * Ends a claimed task: its text and the footer appear in done/ or failed/ whole, then the claim goes.
 * May be repeated after a crash at any point: the same run is shelved once. Returns the new path.
 */
export async function shelveClaimed(task: TaskFile, shelf: Shelf, footer: Footer): Promise<string> {
  const claimed = claimedPath(task);
  // Named for the run, so that a repetition clears away what a crash left of it.
  const draft = join(shelfDir(task.project, shelf), `.${footer.run ?? randomUUID()}.draft`);
  const shelved = await findShelved(task, shelf, footer.run);
  const path = shelved ?? (await writeShelved(task, shelf, draft, footer));
  await rm(draft, { force: true });
  await rm(claimed, { force: true });
  return path;
}

/**
 * Ends a waiting task that cannot be run: it is claimed, so that a version saved meanwhile stays, and appears in
 * failed/ with the reason below its text. A file that is gone throws ENOENT, a name that still runs EBUSY.
 */
export async function rejectTask(task: TaskFile, footer: Footer): Promise<string> {
  if (!(await claimAsItIs(task))) throw Object.assign(new Error(`${task.name} still runs`), { code: "EBUSY" });
  return await shelveClaimed(task, "failed", footer);
}

async function writeShelved(task: TaskFile, shelf: Shelf, draft: string, footer: Footer): Promise<string> {
  const from = claimedPath(task);
  await mkdir(dirname(draft), { recursive: true });
  try {
    if (await isLarge(from)) {
      await copyFile(from, draft);
      await appendFile(draft, renderFooter(footer));
    } else {
      const original = await readOriginal(task.project, from).catch(ignoreMissing);
      await writeFileAtomic(draft, withFooter(original ?? Buffer.alloc(0), footer));
    }
    return await placeNew(draft, shelvedPath(task, shelf));
  } finally {
    await rm(draft, { force: true });
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

async function findShelved(task: TaskFile, shelf: Shelf, run: string | undefined): Promise<string | null> {
  if (run === undefined) return null;
  for (let copy = 1; ; copy += 1) {
    const path = numbered(shelvedPath(task, shelf), copy);
    const text = await readFile(path, "utf8").catch(ignoreFolder);
    if (text === null) return null;
    if (isFooterOf(text, run)) return path;
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
