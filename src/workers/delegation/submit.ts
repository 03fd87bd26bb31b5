import { basename } from "node:path";
import { QueueError } from "../../core/errors.ts";
import { runId } from "../../core/id.ts";
import type { TaskFile } from "../../core/task.ts";
import { hasInbox, isClaimed } from "../../ledger/claim.ts";
import { fingerprint, sight } from "../../ledger/completeness.ts";
import { taskPath } from "../../ledger/layout.ts";
import { invalidMarker, type Marker, readMarker, remoteOf, removeMarkerOf, writeMarker } from "../../ledger/marker.ts";
import { parseTask } from "../../ledger/parse-task.ts";
import { readOriginal } from "../../ledger/read-task.ts";
import type { DelegatedJob } from "../../queue/fetcher.ts";
import { cancelledEnding } from "../../queue/payload.ts";
import { closeShelved } from "../close-shelved.ts";
import type { Secutools, Submission } from "../secutools/client.ts";
import { type DelegationParts, runOf, taskOf } from "./parts.ts";

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
    if (isRefusal(error)) return await fallBack(parts, job, `secutools would not take it: ${error.message}`);
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
  if (client === null) return await fallBack(parts, job, "delegation is not configured any more");
  const sighting = await sight(taskPath(task));
  if (sighting === null) return await endWithoutFile(parts, job);
  const isAsEnqueued = fingerprint(sighting) === job.payload.fingerprint;
  const intended = marker ?? (isAsEnqueued ? await intend(parts, job) : null);
  if (intended === null) return await fetcher.putBack(job.id, CHANGED_RETRY_MS);
  await handOver(parts, client, job, intended, signal);
}

/**
 * Marks the file before it is sent: whatever Redis forgets meanwhile, it is not sent under another key. null when the
 * file does not hold any more what was enqueued.
 */
async function intend({ now }: DelegationParts, job: DelegatedJob): Promise<Marker | null> {
  const task = taskOf(job);
  const bytes = await readOriginal(task.project, taskPath(task));
  if (!parseTask(bytes).ok) return null;
  const { provider, reason, fingerprint, attempts, earlierRuns } = job.payload;
  const marker: Marker = {
    ...{ job: job.id, attempt: attempts + 1, earlierRuns, remoteId: null, provider, reason, fingerprint },
    ...{ submittedAt: new Date(now()).toISOString(), text: bytes.toString() },
  };
  await writeMarker(task, marker);
  return marker;
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
  const marker: Marker = { ...intended, remoteId, submittedAt: new Date(now()).toISOString() };
  await writeMarker(task, marker);
  await counters.add("submitted");
  events.emit({ type: "delegated", task, id, provider, remote: remoteId });
  await keep(parts, job, marker);
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

/** The job knows its remote one from now on, and which attempt it is. */
async function keep({ fetcher }: DelegationParts, job: DelegatedJob, marker: Marker): Promise<void> {
  const { attempt, earlierRuns } = marker;
  await fetcher.amend(job.id, { remote: remoteOf(marker), attempts: attempt - 1, earlierRuns });
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
  events.emit({ type: "cancelled", task, id: job.id });
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
  await queues.toLocal(job.id, { ...task, earlierRuns: earlierRuns + attempts + 1, reason, attempts: 0, resume: null });
  await fetcher.discard(job.id);
  await counters.add("fallback");
  events.emit({ type: "routed", task: taskOf(job), id: job.id, decision: { route: "local", reason } });
}

function isRefusal(error: unknown): error is QueueError {
  return error instanceof QueueError && error.code.startsWith("SECUTOOLS_");
}
