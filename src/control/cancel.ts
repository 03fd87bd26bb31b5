import { rm } from "node:fs/promises";
import { ignoreMissing, QueueError } from "../core/errors.ts";
import { cancellationId, type EarlierRuns } from "../core/id.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import { cancelledFooter } from "../ledger/cancellation.ts";
import { fingerprint, type Sighting, sight } from "../ledger/completeness.ts";
import { claimedPath, taskPath } from "../ledger/layout.ts";
import { type Marker, readMarker } from "../ledger/marker.ts";
import { takeAndShelve } from "../ledger/shelve.ts";
import { shelveDelegated } from "../ledger/shelve-delegated.ts";

/**
 * Takes a task out of its inbox into failed/, wherever it stands: whoever has it sees that it is gone and ends it.
 * `earlier` is what the queue knows of it. Returns the new path. @throws {QueueError} TASK_UNKNOWN when it has ended meanwhile
 */
export async function cancelTask(task: TaskFile, earlier: EarlierRuns | null): Promise<string> {
  const marker = await readMarker(task);
  const path = marker === null ? await cancelLocal(task, earlier) : await cancelDelegated(task, marker);
  if (path !== null) return path;
  throw new QueueError(`${taskLabel(task)} is not waiting or running any more`, { code: "TASK_UNKNOWN" });
}

/** null when it comes home in this moment. */
async function cancelDelegated(task: TaskFile, marker: Marker): Promise<string | null> {
  const run = cancellationId({ id: marker.job, runs: marker.earlierRuns + marker.attempt });
  return await shelveDelegated(task, marker, "failed", cancelledFooter(run)).catch(ignoreMissing);
}

async function cancelLocal(task: TaskFile, earlier: EarlierRuns | null): Promise<string | null> {
  const footer = cancelledFooter(cancellationId(earlier));
  // It may be launched, or given back, in this very moment.
  for (const from of [claimedPath(task), taskPath(task), claimedPath(task), taskPath(task)]) {
    const seen = await sight(from);
    if (seen === null) continue;
    const path = await takeAndShelve(task, from, "failed", footer).catch(ignoreMissing);
    if (path === null) continue;
    await removeOtherName(task, seen);
    return path;
  }
  return null;
}

/** A claim that was just being given back had two names. */
async function removeOtherName(task: TaskFile, taken: Sighting): Promise<void> {
  const waiting = await sight(taskPath(task));
  if (waiting !== null && fingerprint(waiting) === fingerprint(taken)) await rm(taskPath(task), { force: true });
}
