import { z } from "zod";
import { type Repair, repairSchema } from "../control/repair.ts";
import { cleanLine } from "./clean.ts";
import { ALL_TIMEOUT_MS, daemonOf } from "./daemon-client.ts";
import { printJson, printLines } from "./print.ts";
import { withProgress } from "./progress.ts";

export const repairAnswer = z.object({ repairs: z.array(repairSchema) });

const WORDS = {
  enqueued: "waited, and Redis did not know: enqueued",
  restored: "is at work, and Redis did not know: known again",
} as const;

/** `ccl-queue doctor --repair`: has the daemon bring Redis in line with the files and the sessions. */
export async function repair(options: { config?: string; json?: true }): Promise<void> {
  const { post } = await daemonOf(options.config);
  const question = { body: {}, timeoutMs: ALL_TIMEOUT_MS };
  const answer = await withProgress("comparing", () => post("/api/repair", repairAnswer, question));
  if (options.json) printJson(answer);
  else printLines(describeRepairs(answer.repairs));
}

/** What there was to do, a task a line. */
export function describeRepairs(repairs: readonly Repair[]): string[] {
  if (repairs.length === 0) return ["nothing to repair: Redis knows of every file and every run"];
  return repairs.map(({ task, id, what }) => cleanLine(`${task} (${id}) ${WORDS[what]}`));
}
