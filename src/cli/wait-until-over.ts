import { setTimeout as sleep } from "node:timers/promises";
import { type TaskDetail, taskDetail } from "../control/task-view.ts";
import { QueueError } from "../core/errors.ts";
import { cleanLines } from "./clean.ts";
import type { Daemon } from "./daemon-client.ts";
import { EXIT } from "./exit.ts";
import { followLog } from "./logs.ts";
import { printJson, printLines, remark } from "./print.ts";
import { withProgress } from "./progress.ts";
import { taskRoute } from "./task-route.ts";

/** How long a file that was just added may take to become a job. */
const SEEN_WITHIN_MS = 10_000;
const POLL_MS = 100;

/** Waits until a task is over. `path` is its file. */
export async function waitUntilOver(daemon: Daemon, path: string): Promise<TaskDetail> {
  const { id } = await withProgress("the queue has not seen it yet", () => seen(daemon, path));
  await followLog(daemon, id, () => {});
  return await daemon.get(taskRoute(id), taskDetail);
}

/** Prints what came of a task. Returns the exit code. */
export function reportEnd(end: TaskDetail, json: boolean): number {
  const { task, state, result, error } = end;
  if (json) printJson(end);
  else printLines(result === null ? [] : cleanLines(result));
  if (state === "done") return EXIT.ok;
  remark(`${task} is ${state}${error === null ? "" : `: ${error}`}`);
  return EXIT.notWell;
}

async function seen({ get }: Daemon, path: string): Promise<TaskDetail> {
  const deadlineMs = performance.now() + SEEN_WITHIN_MS;
  for (;;) {
    try {
      return await get(taskRoute(path), taskDetail);
    } catch (error) {
      const isEarly = error instanceof QueueError && error.code === "TASK_UNKNOWN" && performance.now() < deadlineMs;
      if (!isEarly) throw error;
      await sleep(POLL_MS);
    }
  }
}
