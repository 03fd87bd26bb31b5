import { setTimeout as sleep } from "node:timers/promises";
import { type TaskLog, type TaskStep, taskLog } from "../control/task-view.ts";
import { type Daemon, daemonOf } from "./daemon-client.ts";
import { describeStep } from "./describe-step.ts";
import { printJson, printJsonLine, printLines } from "./print.ts";
import { Progress } from "./progress.ts";
import { screenOf } from "./screen.ts";
import { taskRoute } from "./task-route.ts";

export interface LogsOptions {
  readonly config?: string;
  readonly json?: true;
  readonly follow?: true;
}

const POLL_MS = 500;
/** So many lines are asked for again: agents write theirs down a little later, so that one may come in front of others. */
const LATE_LINES = 50;

/** `ccl-queue logs`: what happened to a task, and with -f what happens until it is over. */
export async function logs(text: string, options: LogsOptions): Promise<void> {
  const daemon = await daemonOf(options.config);
  if (!options.follow) {
    const log = await daemon.get(taskRoute(text, "/log"), taskLog);
    return options.json ? printJson(log) : printSteps(log.lines);
  }
  process.stdout.once("error", () => process.exit());
  await followLog(daemon, text, options.json ? printEachAsJson : printSteps);
}

/** Tells of each step until the task is over. */
export async function followLog(
  { get }: Pick<Daemon, "get">,
  text: string,
  tell: (steps: readonly TaskStep[]) => void,
): Promise<TaskLog> {
  let log = await get(taskRoute(text, "/log"), taskLog);
  const progress = new Progress(`${log.task} is not over`);
  const told = new Set<string>();
  try {
    for (;;) {
      const news = log.lines.filter((step) => !told.has(JSON.stringify(step)));
      for (const step of news) told.add(JSON.stringify(step));
      if (news.length > 0) progress.clear();
      tell(news);
      if (log.over) return log;
      await sleep(POLL_MS);
      // By its id: its file may be moved meanwhile.
      log = await get(taskRoute(log.id, `/log?from=${Math.max(0, log.next - LATE_LINES)}`), taskLog);
    }
  } finally {
    progress.stop();
  }
}

function printSteps(steps: readonly TaskStep[]): void {
  const screen = screenOf(process.stdout);
  printLines(steps.flatMap((step) => describeStep(step, screen)));
}

function printEachAsJson(steps: readonly TaskStep[]): void {
  for (const step of steps) printJsonLine(step);
}
