import { join } from "node:path";
import { ignoreMissing } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { isFooterOf, isFooterSince } from "./footer.ts";
import { claimedPath, SHELVES, type Shelf, shelfDir, taskPath } from "./layout.ts";
import { numbered } from "./place-new.ts";
import { readInbox } from "./read-inbox.ts";
import { MAX_NAME_BYTES, readOriginal } from "./read-task.ts";

/** Where a task was shelved by a run or a later one of its own, or null. */
export async function findShelved(task: TaskFile, run: string): Promise<{ shelf: Shelf; path: string } | null> {
  for (const shelf of SHELVES) {
    const path = await shelvedFor(task, shelf, (text) => isFooterSince(text, run));
    if (path !== null) return { shelf, path };
  }
  return null;
}

/** The first file of a task's name in done/ or failed/ whose text is the one that is looked for, or null. */
export async function shelvedFor(
  task: TaskFile,
  shelf: Shelf,
  isIt: (text: string) => boolean,
): Promise<string | null> {
  for (let copy = 1; ; copy += 1) {
    const path = numbered(shelvedPath(task, shelf), copy);
    // What is no file of ours takes a name as well.
    const bytes = await readOriginal(task.project, path).catch(ignoreMissing);
    if (bytes === null) return null;
    if (isIt(bytes.toString())) return path;
  }
}

/** Where somebody has put a run's result back into the inbox, under the name that it had in done/ or failed/, or null. */
export async function findPutBack(task: TaskFile, run: string): Promise<string | null> {
  const { waiting, claimed } = await readInbox(task.project);
  const [stem, rest] = [shortened(task.name).slice(0, -".md".length), /^(?:-\d+)?\.md$/];
  const isResult = (name: string) => name.startsWith(stem) && rest.test(name.slice(stem.length));
  const results = (names: readonly string[]) => names.filter(isResult).map((name) => ({ ...task, name }));
  const paths = [...results(waiting).map(taskPath), ...results(claimed).map(claimedPath)];
  for (const path of paths) {
    const bytes = await readOriginal(task.project, path).catch(ignoreMissing);
    if (bytes !== null && isFooterOf(bytes.toString(), run)) return path;
  }
  return null;
}

/** Where a task's result goes, if nothing has that name. */
export function shelvedPath(task: TaskFile, shelf: Shelf): string {
  return join(shelfDir(task.project, shelf), shortened(task.name));
}

/** A name to which a number can be added. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  let short = "";
  for (const character of name) {
    if (Buffer.byteLength(`${short}${character}….md`) > MAX_NAME_BYTES) break;
    short += character;
  }
  return `${short}….md`;
}
