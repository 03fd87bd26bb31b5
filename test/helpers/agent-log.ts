import { readFile } from "node:fs/promises";
import { z } from "zod";

const witness = z.looseObject({
  event: z.enum(["start", "submit", "end"]),
  at: z.number(),
  pid: z.number(),
  pane: z.string().nullish(),
  cwd: z.string(),
  model: z.string().nullish(),
  run: z.string().nullish(),
  /** Claude Code's own session id. */
  session: z.string().nullish(),
  promptSha256: z.string().nullish(),
  promptBytes: z.number().nullish(),
  firstLine: z.string().nullish(),
});

/** One line that an agent wrote about itself. */
export type Witness = z.infer<typeof witness>;

/** The starts among these of each task, by its first line, in order. */
export function startsByTask(lines: readonly Witness[]): Map<string, Witness[]> {
  const byTask = new Map<string, Witness[]>();
  for (const start of lines.filter(({ event }) => event === "start")) {
    const task = start.firstLine ?? "";
    byTask.set(task, [...(byTask.get(task) ?? []), start]);
  }
  return byTask;
}

/** Everything that the agents wrote down, in order. */
export async function agentLog(file: string): Promise<Witness[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => witness.parse(JSON.parse(line)));
}
