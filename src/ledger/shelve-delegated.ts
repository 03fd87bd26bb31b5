import { rm } from "node:fs/promises";
import { ignoreMissing } from "../core/errors.ts";
import { isCancellation, parseRunId } from "../core/id.ts";
import type { TaskFile } from "../core/task.ts";
import { cancelledFooter } from "./cancellation.ts";
import { claimAsItIs, unclaim } from "./claim.ts";
import { fingerprint, sight } from "./completeness.ts";
import { dropEnding, isEndingCutShort, takeEnding } from "./ending.ts";
import { claimedPath, type Shelf, taskPath } from "./layout.ts";
import { type Marker, readMarker, removeMarker } from "./marker.ts";
import { type RunFooter, shelveText } from "./shelve.ts";

/**
 * Ends a delegated task: the text that was submitted and the footer appear in done/ or failed/ whole, then the task's
 * file goes, then its marker. A file that was changed meanwhile stays: it is the next task of that name.
 * May be repeated after a crash at any point. Returns the new path. Who comes second, as somebody else ends the task or
 * has done so, meets ENOENT.
 */
export async function shelveDelegated(
  task: TaskFile,
  marker: Marker,
  shelf: Shelf,
  footer: RunFooter,
): Promise<string> {
  const { run, isOld } = await takeEnding(task, footer.run);
  if (run !== footer.run) {
    if (await isEndingCutShort(task)) await makeGood(task, marker, run);
    throw endedElsewhere(task);
  }
  if (!(await isOut(task, marker))) {
    await dropEnding(task);
    throw endedElsewhere(task);
  }
  const path = await shelveText(task, shelf, marker.text, footer, { isRepeated: isOld });
  await clearAway(task, marker);
  return path;
}

/** A cancellation is brought to its end. Any other end is repeated by whoever asks the platform. */
async function makeGood(task: TaskFile, marker: Marker, run: string): Promise<void> {
  if (!isCancellation(run) || parseRunId(run)?.id !== marker.job) return await dropEnding(task);
  await shelveText(task, "failed", marker.text, cancelledFooter(run), { isRepeated: true });
  await clearAway(task, marker);
}

async function isOut(task: TaskFile, { job, attempt }: Marker): Promise<boolean> {
  const marker = await readMarker(task);
  return marker?.job === job && marker.attempt === attempt;
}

function endedElsewhere({ name }: TaskFile): Error {
  return Object.assign(new Error(`${name} is ended by somebody else`), { code: "ENOENT" });
}

/** What a delegated task that has been shelved leaves in the inbox goes, its marker last. May be repeated. */
export async function clearAway(task: TaskFile, { fingerprint }: Marker): Promise<void> {
  await removeSubmitted(task, fingerprint);
  await removeMarker(task);
  await dropEnding(task);
}

/**
 * It is claimed before it is removed: a version that is saved in this very moment stays. Where a claim of another task
 * has the place, there is no telling.
 */
async function removeSubmitted(task: TaskFile, submitted: string): Promise<void> {
  const isSubmitted = async (path: string) => {
    const sighting = await sight(path);
    return sighting !== null && fingerprint(sighting) === submitted;
  };
  const isClaimed = (await isSubmitted(taskPath(task))) ? await claimAsItIs(task).catch(ignoreMissing) : null;
  if (isClaimed === false) await rm(taskPath(task), { force: true });
  if (await isSubmitted(claimedPath(task))) await rm(claimedPath(task), { force: true });
  else if (isClaimed === true) await unclaim(task);
}
