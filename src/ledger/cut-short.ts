import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isCancellation, parseRunId } from "../core/id.ts";
import type { TaskFile } from "../core/task.ts";
import { isAtWork } from "./at-work.ts";
import { restoreGivenBack } from "./claim.ts";
import { type Sighting, sight } from "./completeness.ts";
import { dropEnding, isEndingCutShort } from "./ending.ts";
import { isFooterOf } from "./footer.ts";
import {
  claimedTaskName,
  endingTaskName,
  inboxDir,
  isTaskName,
  SHELVES,
  type Shelf,
  shelfDir,
  takenBy,
} from "./layout.ts";
import { isMarked } from "./marker.ts";
import { readOriginal } from "./read-task.ts";
import { removeDraft, takeAndShelve } from "./shelve.ts";

/** `.RUN.draft`, a result on its way into its place. */
const RESULT_DRAFT = /^\..+\.draft$/;
/** The same of a marker or of a task that was added, in the inbox: what authors hide there is theirs. */
const INBOX_DRAFT = /^\.[\da-f]{8}-[\da-f-]{27}\.draft$/;

/** A folder that has changed within this may change again without a new time. */
const FILE_CLOCK_MS = 1_000;

/** What crashes have cut short in one project. */
export class CutShort {
  readonly #project: string;
  /** When the shelves that had no drafts at the last look had last changed: they are large, and mostly as they were. */
  readonly #clear = new Map<Shelf, bigint>();

  constructor(project: string) {
    this.#project = project;
  }

  /**
   * Brings back what a takeover has hidden, clears away what is left of ends that were cut short after the result was in
   * its place, and brings cancellations to their end. A run's own end is repeated by whoever has the run. `hidden` names
   * the inbox's hidden files. Returns whether something is left that somebody may still be at.
   */
  async end(hidden: readonly string[]): Promise<boolean> {
    const project = this.#project;
    await restoreGivenBack(project, hidden);
    let isLeft = await clearDrafts(inboxDir(project), hidden, INBOX_DRAFT);
    for (const name of hidden.flatMap((ending) => endingTaskName(ending) ?? []))
      if (await clearEnding({ project, name })) isLeft = true;
    for (const name of hidden) if (await endTaken(project, name)) isLeft = true;
    for (const shelf of SHELVES) if (await this.#clearShelf(shelf)) isLeft = true;
    return isLeft;
  }

  async #clearShelf(shelf: Shelf): Promise<boolean> {
    const folder = shelfDir(this.#project, shelf);
    const stats = await stat(folder, { bigint: true }).catch(() => null);
    if (stats === null || this.#clear.get(shelf) === stats.mtimeNs) return false;
    const isLeft = await clearDrafts(folder, await readdir(folder).catch(() => []), RESULT_DRAFT);
    if (!isLeft && Date.now() - Number(stats.mtimeMs) > FILE_CLOCK_MS) this.#clear.set(shelf, stats.mtimeNs);
    return isLeft;
  }
}

/** True when somebody may be at the task's end. Where the marker is there, whoever comes to end it goes on with it. */
async function clearEnding(task: TaskFile): Promise<boolean> {
  if (await isMarked(task)) return false;
  if (!(await isEndingCutShort(task))) return true;
  await dropEnding(task);
  return false;
}

/** True when somebody may be at the end whose file this is. */
async function endTaken(project: string, name: string): Promise<boolean> {
  const run = takenBy(name);
  const taken = run === null ? null : await sight(join(inboxDir(project), name));
  if (run === null || taken === null) return false;
  if (isAtWork(taken)) return true;
  if (!(await clearShelved(project, run, taken)) && !isRun(run)) await shelveNameless(project, run, taken);
  return false;
}

/** What a draft is made of is still somewhere else: whoever has it makes another. True when somebody may be at one. */
async function clearDrafts(folder: string, names: readonly string[], pattern: RegExp): Promise<boolean> {
  let isLeft = false;
  for (const name of names) {
    const draft = pattern.test(name) ? await sight(join(folder, name)) : null;
    if (draft === null) continue;
    if (isAtWork(draft)) isLeft = true;
    else await rm(draft.path, { force: true });
  }
  return isLeft;
}

/** False when its result is nowhere, be it in a shelf or in the inbox again. */
async function clearShelved(project: string, run: string, taken: Sighting): Promise<boolean> {
  for (const shelf of SHELVES) {
    if (!(await holdsResult(project, shelfDir(project, shelf), run, taken))) continue;
    await removeDraft({ project }, shelf, run);
    await rm(taken.path, { force: true });
    return true;
  }
  // Somebody may have put it back by now.
  const isPutBack = await holdsResult(project, inboxDir(project), run, taken);
  if (isPutBack) await rm(taken.path, { force: true });
  return isPutBack;
}

/** Its name is not known: each file that is not older than the end is looked at. */
async function holdsResult(project: string, folder: string, run: string, taken: Sighting): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  // A draft says the same, and is no result yet.
  for (const name of names.filter((one) => isTaskName(one) || claimedTaskName(one) !== null)) {
    const file = await sight(join(folder, name));
    if (file === null || file.stats.ctimeNs < taken.stats.ctimeNs) continue;
    const text = (await readOriginal(project, file.path).catch(() => null))?.toString() ?? "";
    if (isFooterOf(text, run)) return true;
  }
  return false;
}

function isRun(run: string): boolean {
  return parseRunId(run) !== null && !isCancellation(run);
}

/** What is known of the task is its text. */
async function shelveNameless(project: string, run: string, taken: Sighting): Promise<void> {
  const error = {
    code: "TASK_CANCELLED",
    message: "somebody cancelled the task, and a crash came before it had its name",
  };
  const footer = { result: "cancelled", finishedAt: new Date(), error, run } as const;
  await takeAndShelve({ project, name: `${run}.md` }, taken.path, "failed", footer);
}
