import { z } from "zod";
import { cleanLine } from "./clean.ts";
import { ALL_TIMEOUT_MS, daemonOf } from "./daemon-client.ts";
import { printLines } from "./print.ts";
import { withProgress } from "./progress.ts";

const adopted = z.object({ tasks: z.array(z.string()) });

/** `ccl-queue adopt`: what a dead host of the workspace had running waits again. */
export async function adopt(options: { config?: string; host: string }): Promise<void> {
  const { post } = await daemonOf(options.config);
  const route = `/api/hosts/${encodeURIComponent(options.host)}/adopt`;
  const question = { body: {}, timeoutMs: ALL_TIMEOUT_MS };
  const { tasks } = await withProgress(`taking over from ${options.host}`, () => post(route, adopted, question));
  const lines = tasks.map((task) => `waits again: ${task}`);
  printLines((lines.length === 0 ? [`${options.host} had nothing running`] : lines).map(cleanLine));
}
