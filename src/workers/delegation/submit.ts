import { basename } from "node:path";
import { QueueError } from "../../core/errors.ts";
import { runId } from "../../core/id.ts";
import { FALLBACK } from "../../core/route.ts";
import type { TaskFile } from "../../core/task.ts";
import { cancellation } from "../../ledger/cancellation.ts";
import { hasInbox, isClaimed } from "../../ledger/claim.ts";
import { fingerprint, sight } from "../../ledger/completeness.ts";
import { lastShelvedRun } from "../../ledger/find-shelved.ts";
import { taskPath } from "../../ledger/layout.ts";
import { mark } from "../../ledger/mark.ts";
import { invalidMarker, type Marker, readMarker, removeMarkerOf, writeMarker } from "../../ledger/marker.ts";
import { parseTask } from "../../ledger/parse-task.ts";
import { projectAway } from "../../ledger/project-away.ts";
import { readOriginal } from "../../ledger/read-task.ts";
import type { DelegatedJob } from "../../queue/fetcher.ts";
import { cancelledEnding } from "../../queue/payload.ts";
import { closeShelved } from "../close-shelved.ts";
import type { Secutools, Submission } from "../secutools/client.ts";
import { type DelegationParts, keep, runOf, takenBack, taskOf } from "./parts.ts";

/** How soon a job is looked at again whose file is being changed. */
const CHANGED_RETRY_MS = 500;
/** How soon a step is tried again that failed here, such as writing to a full disk. */
const RETRY_MS = 5_000;

/**
 * Hands a task to the platform and marks its file. The job stays active until the reaper brings it home. Repeating it
 * is harmless: the platform knows the attempt by its key. When the signal aborts, the next start goes on with the job.
 */
export async function submitTask(parts: DelegationParts, job: DelegatedJob, signal: AbortSignal): Promise<void> {
  try {
    await submitOnce(parts, job, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (isRefusal(error)) return await giveUp(parts, job, `${FALLBACK.refused}: ${error.message}`);
    parts.onError(error);
    await parts.fetcher.putBack(job.id, RETRY_MS);
  }
}

async function submitOnce(parts: DelegationParts, job: DelegatedJob, signal: AbortSignal): Promise<void> {
  const { client, fetcher } = parts;
  // It is out already: the reaper looks after it.
  if (job.payload.remote !== null) return;
  const task = taskOf(job);
  const marker = await readMarker(task);
  if (marker !== null && marker.job !== job.id) return await stepBack(parts, job);
  if (marker !== null && marker.remoteId !== null) return await keep(parts, job, marker);
  if (client === null) return await fallBack(parts, job, FALLBACK.notConfigured);
  if ((await sight(taskPath(task))) === null) return await endWithoutFile(parts, job);
  const intended = marker ?? ((await isAsEnqueued(job)) ? await intend(parts, job) : null);
  if (intended === null) return await fetcher.putBack(job.id, CHANGED_RETRY_MS);
  await handOver(parts, client, job, intended, signal);
}

async function isAsEnqueued(job: DelegatedJob): Promise<boolean> {
  const sighting = await sight(taskPath(taskOf(job)));
  return sighting !== null && fingerprint(sighting) === job.payload.fingerprint;
}

/**
 * Marks the file before it is sent: whatever Redis forgets meanwhile, it is not sent under another key. null when the
 * file does not hold any more what was enqueued, or runs here.
 */
async function intend({ now }: DelegationParts, job: DelegatedJob): Promise<Marker | null> {
  const task = taskOf(job);
  const { provider, reason, fingerprint, attempts } = job.payload;
  // A Redis that was set back gives out the numbers of runs that there were.
  const earlierRuns = Math.max(job.payload.earlierRuns, (await lastShelvedRun(task, job.id)) - attempts);
  const bytes = await readOriginal(task.project, taskPath(task));
  // Another text may have its place by now, and may not leave the machine.
  if (!(await isAsEnqueued(job)) || !parseTask(bytes).ok) return null;
  const marker: Marker = {
    ...{ job: job.id, attempt: attempts + 1, earlierRuns, remoteId: null, provider, reason, fingerprint },
    ...{ submittedAt: new Date(now()).toISOString(), text: bytes.toString() },
  };
  return (await mark(task, marker)) ? marker : null;
}

/** What the marker says is sent, under the key that it names: it may have been sent before. */
async function handOver(
  parts: DelegationParts,
  client: Secutools,
  job: DelegatedJob,
  intended: Marker,
  signal: AbortSignal,
): Promise<void> {
  const { events, counters, now } = parts;
  const task = taskOf(job);
  const { provider, job: id, earlierRuns, attempt } = intended;
  const { id: remoteId } = await client.submitJob(
    submissionOf(task, intended),
    runId(id, earlierRuns + attempt),
    signal,
  );
  const stage = await stageOf(parts, job, attempt);
  if (stage === "over" || stage === "unmarked") {
    await takeOff(parts, client, remoteId, signal);
    if (stage === "unmarked") await takenBack(parts, job, { attempts: attempt, earlierRuns });
    return;
  }
  const marker: Marker = { ...intended, remoteId, submittedAt: new Date(now()).toISOString() };
  if (stage === "submitting") {
    await writeMarker(task, marker);
    await counters.add("submitted");
    events.emit({ type: "delegated", task, id, provider, remote: remoteId });
  }
  await keep(parts, job, marker);
}

/**
 * What has become of an attempt: a daemon that starts submits what another one is submitting, under the same key. By
 * now that one may have noted that it is out, have brought it home, or have given it to the local pool. Or somebody has
 * cancelled it, or removed its marker. @throws {QueueError} PROJECT_AWAY
 */
async function stageOf(
  { fetcher }: DelegationParts,
  job: DelegatedJob,
  attempt: number,
): Promise<"submitting" | "out" | "over" | "unmarked"> {
  const task = taskOf(job);
  const marker = await readMarker(task);
  if (marker?.job === job.id && marker.attempt === attempt) return marker.remoteId === null ? "submitting" : "out";
  if (!(await hasInbox(task))) throw projectAway(task);
  const { remote, attempts } = (await fetcher.find(job.id))?.payload ?? {};
  return remote === null && attempts === job.payload.attempts ? "unmarked" : "over";
}

/** Nobody waits for what the platform has taken. */
async function takeOff(
  { onError }: DelegationParts,
  client: Secutools,
  remoteId: string,
  signal: AbortSignal,
): Promise<void> {
  await client.cancelJob(remoteId, signal).catch((error: unknown) => {
    if (!signal.aborted) onError(error);
  });
}

/** @throws {QueueError} MARKER_INVALID */
function submissionOf(task: TaskFile, { provider, text }: Marker): Submission {
  const parsed = parseTask(Buffer.from(text));
  if (!parsed.ok) throw invalidMarker(task);
  const { header, prompt } = parsed;
  return {
    provider,
    priority: header.priority,
    title: header.title ?? task.name.replace(/\.md$/, ""),
    prompt,
    tags: header.tags,
    metadata: { project: basename(task.project), task: task.name },
  };
}

/** The file is out for a job that Redis has lost: the sweep makes that one anew. */
async function stepBack({ fetcher }: DelegationParts, job: DelegatedJob): Promise<void> {
  await fetcher.discard(job.id);
}

/** Its file is gone: taken away, unless Redis has forgotten that the task is over or with the local pool. */
async function endWithoutFile({ fetcher, events }: DelegationParts, job: DelegatedJob): Promise<void> {
  const task = taskOf(job);
  // Nor can its marker be seen.
  if (!(await hasInbox(task))) return await fetcher.putBack(job.id, RETRY_MS);
  await removeMarkerOf(task, job.id);
  if (await isClaimed(task)) return await fetcher.discard(job.id);
  const run = runOf(job);
  if ((await closeShelved(fetcher, { id: job.id, task, run, by: job.payload.provider })) !== null) return;
  await fetcher.complete(job.id, cancelledEnding);
  events.emit(await cancellation(task, job.id, null));
}

/** The local pool does it, unless another daemon had more luck. */
async function giveUp(parts: DelegationParts, job: DelegatedJob, reason: string): Promise<void> {
  const { attempts, earlierRuns } = job.payload;
  const stage = await stageOf(parts, job, attempts + 1);
  if (stage === "submitting") await fallBack(parts, job, reason);
  if (stage === "unmarked") await takenBack(parts, job, { attempts: attempts + 1, earlierRuns });
}

/** The local pool does it. It has its job there before it leaves here. */
async function fallBack(
  { queues, fetcher, counters, events }: DelegationParts,
  job: DelegatedJob,
  reason: string,
): Promise<void> {
  const { provider: _provider, remote: _remote, attempts, earlierRuns, ...task } = job.payload;
  await removeMarkerOf(taskOf(job), job.id);
  // The attempts made here have taken their numbers.
  const local = { ...task, earlierRuns: earlierRuns + attempts + 1, reason, attempts: 0, resume: null };
  await queues.toLocal([{ id: job.id, payload: local }]);
  await fetcher.discard(job.id);
  await counters.add("fallback");
  events.emit({ type: "routed", task: taskOf(job), id: job.id, decision: { route: "local", reason } });
}

function isRefusal(error: unknown): error is QueueError {
  return error instanceof QueueError && error.code.startsWith("SECUTOOLS_");
}
