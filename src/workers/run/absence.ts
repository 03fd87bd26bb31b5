import type { TaskFile } from "../../core/task.ts";
import { isProjectGone, isTakenBack } from "../../ledger/claim.ts";

/** For how long a project is gone that was deleted or renamed, and not just moved away for a moment. */
const LASTING_MS = 10_000;

/** Knows of one run's task whether it was taken away: its claim at once, or its whole project for good. */
export class Absence {
  #sinceMs: number | null = null;

  async isTakenAway(task: TaskFile): Promise<boolean> {
    if (await isTakenBack(task)) return true;
    if (await isProjectGone(task)) this.#sinceMs ??= performance.now();
    else this.#sinceMs = null;
    return this.#sinceMs !== null && performance.now() - this.#sinceMs > LASTING_MS;
  }
}
