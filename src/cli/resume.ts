import { daemonOf } from "./daemon-client.ts";
import { holdAnswer } from "./hold.ts";
import { printLines } from "./print.ts";

/** `ccl-queue resume`: ends any hold of the pool. */
export async function resume(options: { config?: string }): Promise<void> {
  const { post } = await daemonOf(options.config);
  await post("/api/resume", holdAnswer);
  printLines(["resumed: tasks are launched again"]);
}
