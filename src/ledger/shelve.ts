import { randomUUID } from "node:crypto";
import { appendFile, copyFile, lstat, mkdir, readFile, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { type Footer, isFooterOf, renderFooter, stripFooter } from "./footer.ts";
import { claimedPath, inboxDir, type Shelf, shelfDir, taskPath } from "./layout.ts";
import { MAX_TASK_BYTES } from "./parse-task.ts";
import { numbered, placeNew } from "./place-new.ts";
import { readOriginal } from "./read-task.ts";

/**
 * Ends a claimed task: its text and the footer appear in done/ or failed/ whole, then the claim goes.
 * May be repeated after a crash at any point: the same run is shelved once. Returns the new path.
 */
export async function shelveClaimed(task: TaskFile, shelf: Shelf, footer: Footer): Promise<string> {
  const claimed = claimedPath(task);
  const path = (await findShelved(task, shelf, footer.run)) ?? (await writeShelved(task, shelf, claimed, footer));
  await rm(claimed, { force: true });
  return path;
}

/**
 * Ends a waiting task that cannot be run: it appears in failed/ with the reason below its text. The footer is
 * written into a new file that takes the old one's place first, as the old one may have other names elsewhere.
 */
export async function rejectTask(task: TaskFile, footer: Footer): Promise<string> {
  const waiting = taskPath(task);
  const stats = await lstat(waiting);
  if (stats.isDirectory()) throw new Error(`${waiting} is a directory`);
  const draft = join(inboxDir(task.project), `.${randomUUID()}.draft`);
  try {
    if (stats.isFile() && stats.size > MAX_TASK_BYTES) {
      await copyFile(waiting, draft);
      await appendFile(draft, renderFooter(footer));
    } else await writeWithFooter(draft, await readOriginal(task.project, waiting), footer);
    await rename(draft, waiting);
  } finally {
    await rm(draft, { force: true });
  }
  const path = await placeNew(waiting, shelvedPath(task, "failed"));
  await unlink(waiting);
  return path;
}

async function writeShelved(task: TaskFile, shelf: Shelf, from: string, footer: Footer): Promise<string> {
  const original = await readOriginal(task.project, from).catch(ignoreMissing);
  const dir = shelfDir(task.project, shelf);
  await mkdir(dir, { recursive: true });
  const draft = join(dir, `.${randomUUID()}.draft`);
  try {
    await writeWithFooter(draft, original ?? Buffer.alloc(0), footer);
    return await placeNew(draft, shelvedPath(task, shelf));
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeWithFooter(path: string, original: Buffer, footer: Footer): Promise<void> {
  await writeFileAtomic(path, Buffer.concat([withoutFooter(original), Buffer.from(renderFooter(footer))]));
}

async function findShelved(task: TaskFile, shelf: Shelf, run: string | undefined): Promise<string | null> {
  if (run === undefined) return null;
  for (let copy = 1; ; copy += 1) {
    const path = numbered(shelvedPath(task, shelf), copy);
    const text = await readFile(path, "utf8").catch(ignoreMissing);
    if (text === null) return null;
    if (isFooterOf(text, run)) return path;
  }
}

function shelvedPath(task: TaskFile, shelf: Shelf): string {
  return join(shelfDir(task.project, shelf), task.name);
}

/** The footer is ASCII around quoted text, so latin1 keeps every byte of a file in any encoding. */
function withoutFooter(original: Buffer): Buffer {
  return Buffer.from(stripFooter(original.toString("latin1")), "latin1");
}

function ignoreMissing(error: unknown): null {
  if (isSystemError(error, "ENOENT")) return null;
  throw error;
}
