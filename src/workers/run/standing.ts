import { setTimeout as sleep } from "node:timers/promises";
import { parseRunId } from "../../core/id.ts";
import { hasInbox, isClaimed, isTaken } from "../../ledger/claim.ts";
import { fingerprint, sight } from "../../ledger/completeness.ts";
import { claimedPath } from "../../ledger/layout.ts";
import { readClaimed } from "../../ledger/read-task.ts";
import type { LocalPayload } from "../../queue/payload.ts";
import type { RunParts } from "./parts.ts";
import { type RunRecord, taskOf } from "./record.ts";

type StandingParts = Pick<RunParts, "queues" | "fetcher" | "events" | "store">;

/** Whoever fetches a job whose file is another's puts it back within this, and on a busy machine within some times this. */
const PASSING_MS = 1_000;
const MAX_LOOKS = 5;

/**
 * Whether a run's task is still its own. Whoever takes a task over gives its claim back before its job, so a job that
 * waits while the claim stands was set back with Redis: it is held again, and one that Redis has lost is made anew.
 */
export async function isStillOurs(parts: StandingParts, record: RunRecord): Promise<boolean> {
  if (await isTaken(taskOf(record), record.id)) return true;
  for (let looks = 1; looks <= MAX_LOOKS; looks += 1) {
    const answer = await answerOf(parts, record, looks > 1);
    if (answer !== null) return answer;
    await sleep(PASSING_MS);
  }
  return false;
}

/** null = not to be told yet: somebody has the job, to put it back at once or to run it, or Redis has just lost it. */
async function answerOf(parts: StandingParts, record: RunRecord, isAgain: boolean): Promise<boolean | null> {
  const standing = await parts.fetcher.standing(record.job, record.id);
  if (standing === "ours") return true;
  const isLost = standing === "waiting" || standing === "unknown";
  const task = taskOf(record);
  // Nobody can take over what is in a project that is away.
  if (!(await isClaimed(task))) return standing === "unknown" || (isLost && !(await hasInbox(task)));
  if (isLost) return (await restore(parts, record)) ? true : null;
  if (!isAgain) return null;
  if (standing === "elsewhere") return false;
  return (await runsAnew(parts, record)) ? null : true;
}

/** Whether this host has begun the task once more. */
async function runsAnew({ store }: StandingParts, { id, job }: RunRecord): Promise<boolean> {
  return (await store.open()).some((other) => other.job === job && other.id !== id);
}

/**
 * False when somebody else was quicker. What cannot be read of the file any more is not needed to end its run, nor is a
 * job, where a new file of the same name has one already.
 */
async function restore({ queues, fetcher, events }: StandingParts, record: RunRecord): Promise<boolean> {
  const task = taskOf(record);
  const payload = await payloadOf(record);
  if (payload === null) return true;
  await queues.restoreRunning(record.job, payload);
  if (!(await fetcher.hold(record.job, 1)))
    return !["elsewhere", "held"].includes(await fetcher.standing(record.job, record.id));
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
