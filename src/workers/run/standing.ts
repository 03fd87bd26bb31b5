import { setTimeout as sleep } from "node:timers/promises";
import { parseRunId } from "../../core/id.ts";
import { isClaimed, isTaken } from "../../ledger/claim.ts";
import { fingerprint, sight } from "../../ledger/completeness.ts";
import { claimedPath } from "../../ledger/layout.ts";
import { readClaimed } from "../../ledger/read-task.ts";
import type { LocalPayload } from "../../queue/payload.ts";
import type { RunParts } from "./parts.ts";
import { type RunRecord, taskOf } from "./record.ts";

type StandingParts = Pick<RunParts, "queues" | "fetcher" | "events">;

/** Whoever fetches a job whose file is another's puts it back within this. */
const PASSING_MS = 1_000;

/**
 * Whether a run's task is still its own. Whoever takes a task over gives its claim back before its job, so a job that
 * waits while the claim stands was set back with Redis: it is held again, and one that Redis has lost is made anew.
 */
export async function isStillOurs(parts: StandingParts, record: RunRecord): Promise<boolean> {
  if (await isTaken(taskOf(record), record.id)) return true;
  const look = async () => await parts.fetcher.standing(record.job, record.id);
  const isStillClaimed = async () => await isClaimed(taskOf(record));
  let standing = await look();
  if (standing === "elsewhere" && (await isStillClaimed())) {
    // Somebody else has the job, to put it back at once or to run it, or Redis has just lost it.
    await sleep(PASSING_MS);
    standing = await look();
  }
  if (standing === "ours" || standing === "elsewhere") return standing === "ours";
  if (await isStillClaimed()) return await restore(parts, record);
  return standing === "unknown";
}

/** What cannot be read of the file any more is not needed to end its run. */
async function restore({ queues, fetcher, events }: StandingParts, record: RunRecord): Promise<boolean> {
  const task = taskOf(record);
  const payload = await payloadOf(record);
  if (payload === null) return true;
  await queues.restoreRunning(record.job, payload);
  if (!(await fetcher.hold(record.job, 1))) return (await fetcher.standing(record.job, record.id)) !== "elsewhere";
  await fetcher.amend(record.job, payload);
  events.emit({ type: "restored", task, id: record.job });
  return true;
}

/** What the job of a run holds, read from its claimed file. */
async function payloadOf(record: RunRecord): Promise<LocalPayload | null> {
  const task = taskOf(record);
  const sighting = await sight(claimedPath(task));
  const parsed = sighting === null ? null : await readClaimed(task).catch(() => null);
  if (sighting === null || parsed === null || !parsed.ok) return null;
  return {
    ...task,
    fingerprint: fingerprint(sighting),
    header: parsed.header,
    // The run keeps its number as the first start of the job.
    earlierRuns: (parseRunId(record.id)?.runs ?? 1) - 1,
    reason: record.reason,
    attempts: record.attempt - 1,
    resume: null,
    ending: null,
  };
}
