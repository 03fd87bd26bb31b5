import { createHash, randomUUID } from "node:crypto";
import type { Config } from "../../config/config.ts";
import { ignoreMissing } from "../../core/errors.ts";
import { runId } from "../../core/id.ts";
import type { Priority } from "../../core/task.ts";
import { cancellation } from "../../ledger/cancellation.ts";
import { claim, unclaim } from "../../ledger/claim.ts";
import { lastShelvedRun } from "../../ledger/find-shelved.ts";
import { readClaimed } from "../../ledger/read-task.ts";
import { rejectClaimed } from "../../ledger/shelve.ts";
import type { LocalJob } from "../../queue/fetcher.ts";
import { cancelledEnding } from "../../queue/payload.ts";
import { closeShelved } from "../close-shelved.ts";
import type { RunParts } from "./parts.ts";
import { type RunRecord, taskOf } from "./record.ts";

/** How soon a job is looked at again whose file is being written. */
const UNFINISHED_RETRY_MS = 500;
/** What an agent is told that goes on with a session in which the task's own prompt stands already. */
const GO_ON =
  "This session was interrupted before the task above was finished. Look at what is done already, then go on.";

/** Journals a run, claims the task's file and writes what the agent needs; null when there is nothing to run. */
export async function prepareRun(parts: RunParts, job: LocalJob, session: string): Promise<RunRecord | null> {
  const { store } = parts;
  const record = newRecord(job, await numberOf(parts, job), session, parts.config);
  await store.create(record).catch(async (error: unknown) => {
    await store.remove(record.id);
    throw error;
  });
  if (!(await claimed(parts, job, record))) {
    await store.remove(record.id);
    return null;
  }
  try {
    return await prepareClaimed(parts, job, record);
  } catch (error) {
    // Its claim would keep the next try out.
    await unclaim(taskOf(record));
    await store.remove(record.id);
    throw error;
  }
}

async function prepareClaimed(parts: RunParts, job: LocalJob, record: RunRecord): Promise<RunRecord | null> {
  const { store } = parts;
  const parsed = await readClaimed(taskOf(record));
  if (!parsed.ok) {
    await reject(parts, record, parsed.reason);
    return null;
  }
  const { priority, timeoutMs } = parsed.header;
  const promptHash = createHash("sha256").update(parsed.prompt).digest("hex");
  const resume = job.payload.resume?.promptHash === promptHash ? job.payload.resume : null;
  await store.writePrompt(record.id, resume === null ? parsed.prompt : GO_ON);
  return {
    ...record,
    priority,
    promptHash,
    model: modelFor(priority, parts.config),
    timeoutMs: timeoutMs ?? record.timeoutMs,
    claudeSession: resume?.session ?? record.claudeSession,
    resumed: resume !== null,
  };
}

/** The run never reached an agent: its file and its job wait again. */
export async function takeBack({ store, fetcher }: RunParts, record: RunRecord): Promise<void> {
  if (await unclaim(taskOf(record))) await fetcher.putBack(record.job);
  else await fetcher.discard(record.job);
  await store.remove(record.id);
}

async function claimed(parts: RunParts, job: LocalJob, record: RunRecord): Promise<boolean> {
  const { fetcher } = parts;
  const task = taskOf(record);
  const result = await claim(task, job.payload.fingerprint);
  if (result === "unfinished") await fetcher.putBack(job.id, UNFINISHED_RETRY_MS);
  // Redis may have forgotten that it is over.
  const first = runId(job.id, job.payload.earlierRuns + 1);
  if (result === "gone" && (await closeShelved(fetcher, { id: job.id, task, run: first })) === null)
    await cancelled(parts, record);
  return result === "claimed";
}

/** It was edited into something that cannot be run. */
async function reject(parts: RunParts, record: RunRecord, reason: string): Promise<void> {
  const { store, fetcher, events } = parts;
  const task = taskOf(record);
  const error = { code: "TASK_INVALID", message: reason };
  const footer = { result: "rejected", finishedAt: new Date(), error, run: record.id } as const;
  const path = await rejectClaimed(task, footer).catch(ignoreMissing);
  if (path === null) {
    await cancelled(parts, record);
    return await store.remove(record.id);
  }
  const ending = { result: "failed", path, by: null, spent: null } as const;
  await fetcher.fail(record.job, new Error(`${error.code}: ${reason}`), ending);
  await store.remove(record.id);
  events.emit({ type: "rejected", task, id: record.job, reason, path });
}

/** Its file was taken away. */
async function cancelled({ fetcher, events }: RunParts, record: RunRecord): Promise<void> {
  await fetcher.complete(record.job, cancelledEnding);
  events.emit(await cancellation(taskOf(record), record.job, null));
}

/** A Redis that was set back gives out the numbers of runs that there were: the next free one is kept with the job. */
async function numberOf({ store, fetcher }: RunParts, { id, start, payload }: LocalJob): Promise<number> {
  let earlierRuns = Math.max(payload.earlierRuns, (await lastShelvedRun(payload, id)) + 1 - start);
  while (await store.has(runId(id, earlierRuns + start))) earlierRuns += 1;
  if (earlierRuns > payload.earlierRuns) await fetcher.amend(id, { earlierRuns });
  return earlierRuns + start;
}

function newRecord(job: LocalJob, number: number, session: string, config: Config): RunRecord {
  const { project, name, header, reason, attempts } = job.payload;
  return {
    id: runId(job.id, number),
    job: job.id,
    project,
    name,
    priority: header.priority,
    reason,
    session,
    model: modelFor(header.priority, config),
    claudeSession: randomUUID(),
    resumed: false,
    attempt: attempts + 1,
    promptHash: "",
    timeoutMs: config.claude.timeoutMs,
    preparedAtMs: Date.now(),
    state: { name: "prepared" },
  };
}

function modelFor(priority: Priority, { claude: { models } }: Config): string {
  return priority === "critical" ? models.critical : models.default;
}
