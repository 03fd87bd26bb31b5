import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { TaskFile } from "../../core/task.ts";
import { isProjectGone, isTakenBack } from "../../ledger/claim.ts";

/** For how long a project is gone that was deleted or renamed, and not just moved away for a moment. */
const LASTING_MS = 10_000;

interface Gone {
  readonly sinceMs: number;
  /** When a name last came or went where the project was: it may have been there between two looks. */
  readonly changedAtMs: number;
}

/** Knows of one run's task whether it was taken away: its claim at once, or its whole project for good. */
export class Absence {
  readonly #run: string;
  #gone: Gone | null = null;

  constructor(run: string) {
    this.#run = run;
  }

  async isTakenAway(task: TaskFile): Promise<boolean> {
    if (await isTakenBack(task, this.#run)) return true;
    const changedAtMs = (await isProjectGone(task)) ? await changedAt(dirname(task.project)) : null;
    if (changedAtMs === null) this.#gone = null;
    else if (this.#gone?.changedAtMs !== changedAtMs) this.#gone = { sinceMs: performance.now(), changedAtMs };
    return this.#gone !== null && performance.now() - this.#gone.sinceMs > LASTING_MS;
  }
}

async function changedAt(directory: string): Promise<number | null> {
  return await stat(directory).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}
