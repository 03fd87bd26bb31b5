import { rm, writeFile } from "node:fs/promises";
import { isSystemError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { isAtWork } from "./at-work.ts";
import { sight } from "./completeness.ts";
import { endingPath } from "./layout.ts";
import { readRegular } from "./regular-file.ts";

const MAX_RUN_BYTES = 256;

/** Who has the right to end a delegated task: a run, empty where that is not known yet, and whether it had it before. */
interface Right {
  readonly run: string;
  readonly isOld: boolean;
}

/** Takes the right to end a delegated task, which no two can have; whoever had it before a crash has it still. */
export async function takeEnding(task: TaskFile, run: string): Promise<Right> {
  try {
    await writeFile(endingPath(task), run, { flag: "wx", mode: 0o600 });
    return { run, isOld: false };
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
    const bytes = await readRegular(endingPath(task), MAX_RUN_BYTES).catch(() => null);
    return { run: bytes?.toString() ?? "", isOld: true };
  }
}

/** Whether whoever has that right was cut short by a crash, as far as can be told. */
export async function isEndingCutShort(task: TaskFile): Promise<boolean> {
  const sighting = await sight(endingPath(task));
  return sighting !== null && !isAtWork(sighting);
}

export async function dropEnding(task: TaskFile): Promise<void> {
  await rm(endingPath(task), { force: true });
}
