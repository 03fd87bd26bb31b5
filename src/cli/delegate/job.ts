import type { RemoteJob } from "../../workers/secutools/client.ts";
import { isOver } from "../../workers/secutools/wire.ts";
import { EXIT } from "./exit.ts";

/** A job as it is told of, also when the platform has lost it. */
export type ToldJob = Omit<RemoteJob, "status"> & { readonly status: RemoteJob["status"] | "lost" };

const NOTHING_KNOWN = {
  provider: null,
  model: null,
  result: null,
  error: null,
  costUsd: null,
  usage: null,
  createdAt: null,
  finishedAt: null,
} as const;

/** What the platform answered about a job: null means lost. */
export function told(id: string, job: RemoteJob | null): ToldJob {
  return job ?? { id, status: "lost", ...NOTHING_KNOWN };
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
