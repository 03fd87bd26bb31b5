import { commanded } from "../control/task-view.ts";
import { cleanLine } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { eachTask } from "./each-task.ts";
import { withProgress } from "./progress.ts";
import { taskRoute } from "./task-route.ts";

/** `ccl-queue cancel`: ends tasks that wait or run. Returns the exit code. */
export async function cancel(tasks: readonly string[], options: { config?: string }): Promise<number> {
  const { post } = await daemonOf(options.config);
  return await eachTask(tasks, async (text) => {
    const { task, path } = await withProgress(`cancelling ${text}`, () => post(taskRoute(text, "/cancel"), commanded));
    return cleanLine(`cancelled ${task}; now ${path}`);
  });
}
