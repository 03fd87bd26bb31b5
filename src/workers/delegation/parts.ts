import type { Config } from "../../config/config.ts";
import type { TaskEvents } from "../../core/events.ts";
import { runId } from "../../core/id.ts";
import type { TaskFile } from "../../core/task.ts";
import { type Marker, remoteOf } from "../../ledger/marker.ts";
import type { Counters } from "../../queue/counters.ts";
import type { DelegatedJob, Fetcher } from "../../queue/fetcher.ts";
import type { DelegatedPayload } from "../../queue/payload.ts";
import type { TaskQueues } from "../../queue/task-queues.ts";
import type { Secutools } from "../secutools/client.ts";

/** What delegating a task and bringing it home may use. */
export interface DelegationParts {
  readonly settings: Config["secutools"];
  /** null = not configured: what waits goes to the local pool, what is out stays out. */
  readonly client: Secutools | null;
  readonly queues: TaskQueues;
  readonly fetcher: Fetcher<DelegatedPayload>;
  readonly counters: Counters;
  readonly events: TaskEvents;
  /** In ms since the epoch. */
  readonly now: () => number;
  /** Told of what went wrong and is tried again. */
  readonly onError: (error: unknown) => void;
}

/** The task that a job is for. */
export function taskOf({ payload: { project, name } }: DelegatedJob): TaskFile {
  return { project, name };
}

/** A job knows from now on what its marker says: its remote one, and which attempt it is. */
export async function keep({ fetcher }: DelegationParts, job: DelegatedJob, marker: Marker): Promise<void> {
  const { attempt, earlierRuns } = marker;
  await fetcher.amend(job.id, { remote: remoteOf(marker), attempts: attempt - 1, earlierRuns });
}

/** The attempts of a job that were made, and the runs that its task had before. */
type Made = Pick<DelegatedPayload, "attempts" | "earlierRuns">;

/** Its marker was removed: the file waits like all others, and goes out once more as another attempt. */
export async function takenBack({ fetcher }: DelegationParts, { id }: DelegatedJob, made: Made): Promise<void> {
  await fetcher.amend(id, { ...made, remote: null });
  await fetcher.putBack(id);
}

/** Names one attempt: the idempotency key towards the platform, and the run in the footer. */
export function runOf({ id, payload }: DelegatedJob): string {
  return runId(id, payload.earlierRuns + payload.attempts + 1);
}
