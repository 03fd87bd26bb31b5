import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isCancellation, parseRunId } from "../core/id.ts";
import type { TaskFile } from "../core/task.ts";
import { isAtWork } from "./at-work.ts";
import { type Sighting, sight } from "./completeness.ts";
import { dropEnding, isEndingCutShort } from "./ending.ts";
import { isFooterOf } from "./footer.ts";
import { endingTaskName, inboxDir, isTaskName, SHELVES, type Shelf, shelfDir, takenBy } from "./layout.ts";
import { isMarked } from "./marker.ts";
import { readOriginal } from "./read-task.ts";
import { removeDraft, takeAndShelve } from "./shelve.ts";

/** `.RUN.draft`, a result on its way into its place. */
const RESULT_DRAFT = /^\..+\.draft$/;
/** The same of a marker or of a task that was added, in the inbox: what authors hide there is theirs. */
const INBOX_DRAFT = /^\.(?:[a-z0-9]{10}-\d+|[\da-f]{8}-[\da-f-]{27})\.draft$/;

/**
 * Clears away what is left of ends that a crash cut short after the result was in its place, and brings cancellations to
 * their end. A run's own end is repeated by whoever has the run.
 */
export async function endCutShort(project: string): Promise<void> {
  const names = await readdir(inboxDir(project)).catch(() => []);
  for (const name of names.flatMap((hidden) => endingTaskName(hidden) ?? [])) await clearEnding({ project, name });
  for (const name of names) {
    const run = takenBy(name);
    const taken = run === null ? null : await sight(join(inboxDir(project), name));
    if (run === null || taken === null || isAtWork(taken)) continue;
    if (await clearShelved(project, run, taken)) continue;
    if (!isRun(run)) await shelveNameless(project, run, taken);
  }
  await clearDrafts(inboxDir(project), INBOX_DRAFT);
  for (const shelf of SHELVES) await clearDrafts(shelfDir(project, shelf), RESULT_DRAFT);
}

/** Where the marker is there, whoever comes to end the task goes on with it. */
async function clearEnding(task: TaskFile): Promise<void> {
  if ((await isEndingCutShort(task)) && !(await isMarked(task))) await dropEnding(task);
}

/** What a draft is made of is still somewhere else: whoever has it makes another. */
async function clearDrafts(folder: string, pattern: RegExp): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const draft = pattern.test(name) ? await sight(join(folder, name)) : null;
    if (draft !== null && !isAtWork(draft)) await rm(draft.path, { force: true });
  }
}

/** False when its result is nowhere. */
async function clearShelved(project: string, run: string, taken: Sighting): Promise<boolean> {
  for (const shelf of SHELVES) {
    if (!(await isShelved(project, shelf, run, taken))) continue;
    await removeDraft({ project }, shelf, run);
    await rm(taken.path, { force: true });
    return true;
  }
  return false;
}

/** Its name is not known: each file that is not older than the end is looked at. */
async function isShelved(project: string, shelf: Shelf, run: string, taken: Sighting): Promise<boolean> {
  const names = await readdir(shelfDir(project, shelf)).catch(() => []);
  // A draft says the same, and is no result yet.
  for (const name of names.filter(isTaskName)) {
    const file = await sight(join(shelfDir(project, shelf), name));
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
