import { z } from "zod";
import { commanded } from "../control/task-view.ts";
import { cleanLine } from "./clean.ts";
import { ALL_TIMEOUT_MS, daemonOf } from "./daemon-client.ts";
import { eachTask } from "./each-task.ts";
import { EXIT, UsageError } from "./exit.ts";
import { printLines } from "./print.ts";
import { withProgress } from "./progress.ts";
import { projectNamed } from "./project.ts";
import { taskRoute } from "./task-route.ts";

export interface RetryOptions {
  readonly config?: string;
  readonly allFailed?: true;
  readonly project?: string;
}

const allCommanded = z.object({ tasks: z.array(commanded) });

/** `ccl-queue retry`: puts tasks that are over back into the inbox. Returns the exit code. */
export async function retry(tasks: readonly string[], options: RetryOptions): Promise<number> {
  const { allFailed, project } = options;
  if (allFailed ? tasks.length > 0 : tasks.length === 0) throw new UsageError("name the tasks, or give --all-failed");
  if (project !== undefined && !allFailed) throw new UsageError("--project goes with --all-failed");
  if (allFailed) return await retryAll(options);
  const { post } = await daemonOf(options.config);
  return await eachTask(tasks, async (text) => {
    const { task, path } = await withProgress(`putting back ${text}`, () => post(taskRoute(text, "/retry"), commanded));
    return retried(task, path);
  });
}

async function retryAll({ config, project }: RetryOptions): Promise<number> {
  const { post } = await daemonOf(config);
  const question = { body: { project: projectNamed(project) }, timeoutMs: ALL_TIMEOUT_MS };
  const { tasks } = await withProgress("putting back what failed", () =>
    post("/api/tasks/retry", allCommanded, question),
  );
  printLines(tasks.length === 0 ? ["nothing has failed"] : tasks.map(({ task, path }) => retried(task, path)));
  return EXIT.ok;
}

function retried(task: string, path: string): string {
  return cleanLine(`runs again: ${task}; now ${path}`);
}
