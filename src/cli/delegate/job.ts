import type { RemoteJob } from "../../workers/secutools/client.ts";
import { isOver } from "../../workers/secutools/wire.ts";
import { EXIT } from "./exit.ts";

/** A job as it is told of, by the platform's own names, also when it has lost it. */
export interface ToldJob extends Pick<RemoteJob, "id" | "provider" | "model" | "result" | "error"> {
  readonly status: RemoteJob["status"] | "lost";
  readonly cost_usd: number | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  readonly created_at: string | null;
  readonly finished_at: string | null;
}

const NOTHING_KNOWN = {
  provider: null,
  model: null,
  result: null,
  error: null,
  cost_usd: null,
  usage: null,
  created_at: null,
  finished_at: null,
} as const;

/** What the platform answered about a job: null means lost. */
export function told(id: string, job: RemoteJob | null): ToldJob {
  if (job === null) return { id, status: "lost", ...NOTHING_KNOWN };
  const { status, provider, model, result, error, costUsd, usage, createdAt, finishedAt } = job;
  return {
    ...{ id, status, provider, model, result, error, cost_usd: costUsd },
    usage: usage && { input_tokens: usage.input, output_tokens: usage.output },
    created_at: createdAt,
    finished_at: finishedAt,
  };
}

/** The exit code that tells how a job ended, or that it has not. */
export function exitCodeOf({ status }: ToldJob): number {
  if (status === "completed") return EXIT.ok;
  return status === "lost" || isOver(status) ? EXIT.jobFailed : EXIT.notFinished;
}

/** How a job stands, in words. */
export function describeJob({ id, status, error }: ToldJob): string {
  switch (status) {
    case "queued":
    case "running":
      return `the job ${id} is not finished: it is ${status}`;
    case "completed":
      return `the job ${id} is completed`;
    case "failed":
      return `the job ${id} has failed: ${error === null ? "no reason is given" : `${error.code}: ${error.message}`}`;
    case "cancelled":
      return `the job ${id} was cancelled`;
    case "lost":
      return `secutools does not know the job ${id}`;
  }
}
