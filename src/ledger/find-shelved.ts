import { join } from "node:path";
import { ignoreMissing } from "../core/errors.ts";
import { parseRunId } from "../core/id.ts";
import type { TaskFile } from "../core/task.ts";
import { isFooterOf, isFooterSince, readFooter } from "./footer.ts";
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

/**
 * The highest number of the runs of this id that were shelved under a task's name, 0 for none: they are taken, also where
 * Redis knows nothing of them.
 */
export async function lastShelvedRun(task: TaskFile, id: string): Promise<number> {
  let last = 0;
  for (const shelf of SHELVES) {
    for await (const { text } of shelvedTexts(task, shelf)) {
      const run = parseRunId(readFooter(text)?.rows.get("run") ?? "");
      if (run?.id === id) last = Math.max(last, run.runs);
    }
  }
  return last;
}

/** The first file of a task's name in done/ or failed/ whose text is the one that is looked for, or null. */
export async function shelvedFor(
  task: TaskFile,
  shelf: Shelf,
  isIt: (text: string) => boolean,
): Promise<string | null> {
  for await (const { path, text } of shelvedTexts(task, shelf)) if (isIt(text)) return path;
  return null;
}

async function* shelvedTexts(task: TaskFile, shelf: Shelf): AsyncGenerator<{ path: string; text: string }> {
  for (let copy = 1; ; copy += 1) {
    const path = numbered(shelvedPath(task, shelf), copy);
    // What is no file of ours takes a name as well.
    const bytes = await readOriginal(task.project, path).catch(ignoreMissing);
    if (bytes === null) return;
    yield { path, text: bytes.toString() };
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
