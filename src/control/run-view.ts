import { taskLabel } from "../core/task.ts";
import type { LiveRun } from "../workers/run/board.ts";
import type { RunView } from "./session-view.ts";

/** A run that is under way, as operators see it. */
export function viewRun({ record, progress: { phase, movedAtMs } }: LiveRun, nowMs: number): RunView {
  const { id, job, reason, session, model, attempt, preparedAtMs, timeoutMs } = record;
  const silentMs = Math.max(0, Math.round(nowMs - movedAtMs));
  return {
    ...{ id, job, reason, session, model, attempt },
    task: taskLabel(record),
    phase: phase.name,
    started_at: new Date(preparedAtMs).toISOString(),
    since: new Date(phase.sinceMs).toISOString(),
    silent_ms: silentMs,
    stale: phase.name !== "attention" && silentMs > timeoutMs / 2,
  };
}
