import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseRunId } from "../core/id.ts";
import { type Sighting, sight } from "./completeness.ts";
import { isFooterOf } from "./footer.ts";
import { inboxDir, SHELVES, type Shelf, shelfDir } from "./layout.ts";
import { readOriginal } from "./read-task.ts";
import { removeDraft, takeAndShelve } from "./shelve.ts";

/** `.RUN.taken`, where the end of a run, or a cancellation, has a task's file. */
const TAKEN = /^\.(?<run>.+)\.taken$/;
/** `.RUN.draft`, a result on its way into its place. */
const RESULT_DRAFT = /^\..+\.draft$/;
/** The same of a marker or of a task that was added, in the inbox: what authors hide there is theirs. */
const INBOX_DRAFT = /^\.(?:[a-z0-9]{10}-\d+|[\da-f]{8}-[\da-f-]{27})\.draft$/;
/** For so long somebody may still be at it. */
const AT_WORK_MS = 15_000;

/**
 * Clears away what is left of ends that a crash cut short after the result was in its place, and brings cancellations to
 * their end. A run's own end is repeated by whoever has the run.
 */
export async function endCutShort(project: string): Promise<void> {
  for (const name of await readdir(inboxDir(project)).catch(() => [])) {
    const run = TAKEN.exec(name)?.groups?.["run"];
    const taken = run === undefined ? null : await sight(join(inboxDir(project), name));
    if (run === undefined || taken === null || isAtWork(taken)) continue;
    if (await clearShelved(project, run, taken)) continue;
    if (!isRun(run)) await shelveNameless(project, run, taken);
  }
  await clearDrafts(inboxDir(project), INBOX_DRAFT);
  for (const shelf of SHELVES) await clearDrafts(shelfDir(project, shelf), RESULT_DRAFT);
}

function isAtWork({ stats }: Sighting): boolean {
  return Date.now() - Number(stats.ctimeMs) < AT_WORK_MS;
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
  for (const name of await readdir(shelfDir(project, shelf)).catch(() => [])) {
    const file = await sight(join(shelfDir(project, shelf), name));
    if (file === null || file.stats.ctimeNs < taken.stats.ctimeNs) continue;
    const text = (await readOriginal(project, file.path).catch(() => null))?.toString() ?? "";
    if (isFooterOf(text, run)) return true;
  }
  return false;
}

function isRun(run: string): boolean {
  return parseRunId(run) !== null && !run.includes("cancelled");
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
