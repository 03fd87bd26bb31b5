import { ignoreMissing, QueueError } from "../../core/errors.ts";
import { cancellation } from "../../ledger/cancellation.ts";
import { hasInbox, isWithdrawn } from "../../ledger/claim.ts";
import { type Marker, readMarker, removeMarkerOf } from "../../ledger/marker.ts";
import { type RunFooter, removeDraft } from "../../ledger/shelve.ts";
import { clearAway, shelveDelegated } from "../../ledger/shelve-delegated.ts";
import { spentOf } from "../../ledger/spent.ts";
import type { DelegatedJob } from "../../queue/fetcher.ts";
import { cancelledEnding } from "../../queue/payload.ts";
import { closeShelved } from "../close-shelved.ts";
import type { Secutools } from "../secutools/client.ts";
import { SecutoolsError } from "../secutools/error.ts";
import { endOf, type RemoteAnswer, type RemoteEnd } from "./outcome.ts";
import { type DelegationParts, keep, runOf, takenBack, taskOf } from "./parts.ts";

/** A delegated job whose remote one is known. */
export interface RemoteTask {
  readonly job: DelegatedJob;
  readonly remote: { readonly id: string; readonly submittedAtMs: number };
}

/**
 * Finalises one delegated task's file once its outcome is known. Every step may be repeated, so a crash at any point is
 * made good by the next look. @throws {QueueError} SECUTOOLS_*, MARKER_INVALID
 * @param known what the platform has said already; null where it is still to be asked
 */
export async function bringHome(
  parts: DelegationParts,
  out: RemoteTask,
  known: RemoteEnd | null,
  signal: AbortSignal,
): Promise<void> {
  const { client } = parts;
  const task = taskOf(out.job);
  const marker = await readMarker(task);
  const place = await placeOf(parts, out, marker);
  if (place === "away") return;
  if (place !== "there" || marker === null) {
    if (await wasShelved(parts, out, marker)) return;
    if (client !== null) await cancelRemote(parts, client, out, signal);
    if (place === "withdrawn") return await cancelled(parts, out);
    const { attempts, earlierRuns } = out.job.payload;
    return await takenBack(parts, out.job, { attempts: attempts + 1, earlierRuns });
  }
  // Redis was set back, and knows an earlier time of the task.
  if (marker.remoteId !== out.remote.id) return await keep(parts, out.job, marker);
  const end = known ?? (await askAfter(parts, out, signal));
  if (client === null || end === null) return;
  if (await wasShelved(parts, out, marker)) return;
  if (end.failure?.code === "SECUTOOLS_JOB_EXPIRED") await cancelRemote(parts, client, out, signal);
  await finalise(parts, out, marker, end);
}

/** How the platform says that a task has ended; null while it has not, or nobody may ask. @throws {QueueError} SECUTOOLS_* */
export async function askAfter(
  parts: DelegationParts,
  out: RemoteTask,
  signal: AbortSignal,
): Promise<RemoteEnd | null> {
  const { client, now, settings } = parts;
  if (client === null) return null;
  return endOf(await ask(parts, client, out, signal), now() - out.remote.submittedAtMs, settings.maxAgeMs);
}

/** A project that is away may come back, or be found under another name, for as long as the platform has time. */
async function placeOf(
  { now, settings }: DelegationParts,
  { job, remote }: RemoteTask,
  marker: Marker | null,
): Promise<"there" | "away" | "withdrawn" | "unmarked"> {
  const task = taskOf(job);
  if (marker === null && !(await hasInbox(task)))
    return now() - remote.submittedAtMs < settings.maxAgeMs ? "away" : "withdrawn";
  if (await isWithdrawn(task)) return "withdrawn";
  return marker?.job === job.id ? "there" : "unmarked";
}

/** An answer that does not tell how the job stands is no end of the task, until its time is over. */
async function ask(
  { onError }: DelegationParts,
  client: Secutools,
  { remote }: RemoteTask,
  signal: AbortSignal,
): Promise<RemoteAnswer> {
  return await client.getJob(remote.id, signal).catch((error: unknown) => {
    if (!isAnswer(error) || isOfKey(error)) throw error;
    onError(error);
    return error;
  });
}

/** Nothing is waited for that the platform will never do: the task ends here all the same. */
async function cancelRemote(
  { onError }: DelegationParts,
  client: Secutools,
  { remote }: RemoteTask,
  signal: AbortSignal,
): Promise<void> {
  await client.cancelJob(remote.id, signal).catch((error: unknown) => {
    if (!isAnswer(error)) throw error;
    onError(error);
  });
}

/** The platform has answered, if not as it should: it is neither away nor too busy. */
function isAnswer(error: unknown): error is QueueError {
  return error instanceof QueueError && ["SECUTOOLS_BAD_ANSWER", "SECUTOOLS_REFUSED"].includes(error.code);
}

/** Our key is wrong: that says nothing of any job. */
function isOfKey(error: QueueError): boolean {
  return error instanceof SecutoolsError && (error.status === 401 || error.status === 403);
}

/** A crash after the file was finalised left the job open. */
async function wasShelved(parts: DelegationParts, { job }: RemoteTask, marker: Marker | null): Promise<boolean> {
  const task = taskOf(job);
  const run = runOf(job);
  const shelved = await closeShelved(parts.fetcher, { id: job.id, task, run, by: job.payload.provider });
  if (shelved === null) return false;
  await removeDraft(task, shelved.shelf, run);
  if (marker?.job === job.id) await clearAway(task, marker);
  return true;
}

/** Its file was deleted. */
async function cancelled({ fetcher, counters, events }: DelegationParts, { job }: RemoteTask): Promise<void> {
  await removeMarkerOf(taskOf(job), job.id);
  await fetcher.complete(job.id, cancelledEnding);
  await counters.add("cancelled");
  const { provider, reason } = job.payload;
  const decision = { route: "delegated", provider, reason } as const;
  events.emit(await cancellation(taskOf(job), job.id, decision));
}

async function finalise(parts: DelegationParts, out: RemoteTask, marker: Marker, end: RemoteEnd): Promise<void> {
  const { fetcher, counters, events } = parts;
  const { id, payload } = out.job;
  const { failure, job: remote } = end;
  const task = taskOf(out.job);
  const footer = footerOf(parts, out, end);
  const shelf = failure === null ? "done" : "failed";
  const path = await shelveDelegated(task, marker, shelf, footer).catch(ignoreMissing);
  // Somebody cancels it in this moment.
  if (path === null) return;
  const { provider, reason: why } = payload;
  const over = { path, by: provider, spent: spentOf(footer) };
  const told = { task, id, ...over, decision: { route: "delegated", provider, reason: why } } as const;
  if (failure === null) {
    await fetcher.complete(id, { ...over, result: "done" });
    events.emit({ ...told, type: "done" });
  } else {
    const reason = `${failure.code}: ${failure.message}`;
    await fetcher.fail(id, new Error(reason), { ...over, result: "failed" });
    events.emit({ ...told, type: "failed", reason });
  }
  await counters.add(failure === null ? "completed" : "failed");
  if (remote?.costUsd) await counters.add(`cost_usd:${payload.provider}`, remote.costUsd);
}

function footerOf(
  { now }: DelegationParts,
  { job, remote }: RemoteTask,
  { failure, job: answer }: RemoteEnd,
): RunFooter {
  return {
    result: failure === null ? "done" : "failed",
    finishedAt: new Date(now()),
    error: failure ?? undefined,
    route: `delegated: ${job.payload.reason}`,
    provider: `${job.payload.provider} (${remote.id})`,
    model: answer?.model ?? undefined,
    run: runOf(job),
    attempts: job.payload.attempts + 1,
    durationMs: now() - remote.submittedAtMs,
    tokens: answer?.usage ?? undefined,
    costUsd: answer?.costUsd ?? undefined,
    text: answer?.result ?? undefined,
  };
}
