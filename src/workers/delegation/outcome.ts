import { formatDuration } from "../../core/duration.ts";
import { QueueError } from "../../core/errors.ts";
import type { Failure } from "../../core/outcome.ts";
import type { RemoteJob } from "../secutools/client.ts";

/** What the platform says of a job: null when it has lost it, an error when it says nothing that tells how it stands. */
export type RemoteAnswer = RemoteJob | null | QueueError;

/** How a delegated task ended: `failure` is null where the platform completed it. */
export interface RemoteEnd {
  readonly failure: Failure | null;
  /** null when the platform tells nothing of the job. */
  readonly job: RemoteJob | null;
}

/** What the platform's answer means for the task, null while it goes on. */
export function endOf(answer: RemoteAnswer, ageMs: number, maxAgeMs: number): RemoteEnd | null {
  const job = answer instanceof QueueError ? null : answer;
  const failure = failureOf(answer);
  if (failure !== "none yet") return { failure, job };
  return ageMs > maxAgeMs ? { failure: expired(answer, maxAgeMs), job } : null;
}

function expired(answer: RemoteAnswer, maxAgeMs: number): Failure {
  const last = answer instanceof QueueError ? `: ${answer.message}` : "";
  return {
    code: "SECUTOOLS_JOB_EXPIRED",
    message: `the platform did not finish it within ${formatDuration(maxAgeMs)}${last}`,
  };
}

function failureOf(job: RemoteAnswer): Failure | null | "none yet" {
  if (job instanceof QueueError) return "none yet";
  if (job === null) return { code: "SECUTOOLS_JOB_LOST", message: "the platform no longer knows the task" };
  switch (job.status) {
    case "completed":
      return null;
    case "failed":
      return {
        code: "SECUTOOLS_JOB_FAILED",
        message: job.error ? `${job.error.code}: ${job.error.message}` : "no reason given",
      };
    case "cancelled":
      return { code: "SECUTOOLS_JOB_CANCELLED", message: "the task was cancelled on the platform" };
    case "queued":
    case "running":
      return "none yet";
  }
}
