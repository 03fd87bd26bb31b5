import { dirname, resolve } from "node:path";
import { z } from "zod";
import { INBOX, QUEUE_DIR } from "../ledger/layout.ts";
import { askDaemon } from "./daemon-client.ts";
import { stateDirOf } from "./find-config.ts";

const commanded = z.object({ task: z.string(), path: z.string() });

/** `ccl-queue cancel`: ends tasks that wait or run, one after the other; the first that cannot be ended stops it. */
export async function cancel(tasks: readonly string[], options: { config?: string }): Promise<void> {
  const stateDir = await stateDirOf(options.config);
  for (const text of tasks) {
    const { task, path } = await askDaemon(stateDir, "POST", `/api/tasks/${nameOf(text)}/cancel`, commanded);
    process.stdout.write(`cancelled ${task}; now ${path}\n`);
  }
}

/** A path is taken from where we stand; a bare name, one with its project or an id is the daemon's to find. */
function nameOf(text: string): string {
  const path = resolve(text);
  const isInInbox = text.includes("/") && dirname(path).endsWith(`/${QUEUE_DIR}/${INBOX}`);
  const isPath = isInInbox || text === "" || text.startsWith("/") || text.startsWith(".");
  return encodeURIComponent(isPath ? path : text);
}
