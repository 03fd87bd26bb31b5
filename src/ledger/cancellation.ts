import { readdir } from "node:fs/promises";
import type { TaskEvent } from "../core/events.ts";
import { isCancellation, parseRunId } from "../core/id.ts";
import type { Decision } from "../core/route.ts";
import type { TaskFile } from "../core/task.ts";
import { shelvedFor } from "./find-shelved.ts";
import { readFooter } from "./footer.ts";
import { inboxDir, takenBy } from "./layout.ts";
import type { RunFooter } from "./shelve.ts";

/** What stands below the text of a task that somebody cancelled. */
export function cancelledFooter(run: string): RunFooter {
  const error = { code: "TASK_CANCELLED", message: "somebody cancelled the task" };
  return { result: "cancelled", finishedAt: new Date(), error, run };
}

/** What is told of a task whose file is gone: a command has cancelled it, or somebody took the file away. */
export async function cancellation(task: TaskFile, id: string, decision: Decision | null): Promise<TaskEvent> {
  const byCommand = await isByCommand(task, id).catch(() => false);
  return { type: "cancelled", task, id, decision, byCommand };
}

/** A command leaves the file in failed/; until it is there, it is hidden in the inbox. */
async function isByCommand(task: TaskFile, id: string): Promise<boolean> {
  const taken = (await readdir(inboxDir(task.project))).flatMap((name) => takenBy(name) ?? []);
  if (taken.some((run) => isCancellation(run) && parseRunId(run)?.id === id)) return true;
  const isCancelled = (text: string) => {
    const footer = readFooter(text);
    return footer?.result === "cancelled" && parseRunId(footer.rows.get("run") ?? "")?.id === id;
  };
  return (await shelvedFor(task, "failed", isCancelled)) !== null;
}
