import type { JobsOptions } from "bullmq";
import { taskKey } from "../core/id.ts";
import { bullPriority } from "../core/task.ts";
import type { TaskPayload } from "./payload.ts";

/** How a task stands in a queue: at most one live job a file, by its priority, and kept for a while when it is over. */
export function jobOptions(id: string, payload: TaskPayload, retentionMs: number): JobsOptions {
  const age = Math.round(retentionMs / 1_000);
  return {
    jobId: id,
    priority: bullPriority(payload.header.priority),
    deduplication: { id: taskKey(payload) },
    removeOnComplete: { age },
    removeOnFail: { age },
  };
}
