import type { RunRecord } from "./record.ts";
import type { Progress } from "./watch.ts";

/** A run that is under way, as it stood at the last look. */
export interface LiveRun {
  readonly record: RunRecord;
  readonly progress: Progress;
}

/** Which runs of this host are under way, for whoever wants to show them. */
export class RunBoard {
  readonly #runs = new Map<string, LiveRun>();

  put(record: RunRecord, progress: Progress): void {
    this.#runs.set(record.id, { record, progress });
  }

  remove(run: string): void {
    this.#runs.delete(run);
  }

  /** The run of a task, null where none is under way. */
  runOf(job: string): LiveRun | null {
    return this.list().find(({ record }) => record.job === job) ?? null;
  }

  /** The oldest first. */
  list(): LiveRun[] {
    return [...this.#runs.values()].sort((a, b) => a.record.preparedAtMs - b.record.preparedAtMs);
  }
}
