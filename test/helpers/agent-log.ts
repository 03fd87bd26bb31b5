import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { z } from "zod";
import { jsonLines } from "./json-lines.ts";

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
function startsByTask(lines: readonly Witness[]): Map<string, Witness[]> {
  const byTask = new Map<string, Witness[]>();
  for (const start of lines.filter(({ event }) => event === "start")) {
    const task = start.firstLine ?? "";
    byTask.set(task, [...(byTask.get(task) ?? []), start]);
  }
  return byTask;
}

/**
 * Every task ran, and none twice but some of those that were on the dead host, as many as it has sessions at most, and
 * those once more on another. Returns their second starts.
 */
export function onlyTheDeadOnesRanTwice(
  starts: readonly Witness[],
  { tasks, sessions, isOfDead }: { tasks: number; sessions: number; isOfDead: (start: Witness) => boolean },
): Witness[] {
  const byTask = startsByTask(starts);
  expect(byTask.size).toBe(tasks);
  const repeated = [...byTask.values()].filter((runs) => runs.length > 1);
  expect(repeated.length).toBeGreaterThan(0);
  expect(repeated.length).toBeLessThanOrEqual(sessions);
  expect(repeated.map((runs) => runs.map(isOfDead))).toEqual(repeated.map(() => [true, false]));
  return repeated.flatMap((runs) => runs.slice(1));
}

/** Everything that the agents wrote down, in order. */
export async function agentLog(file: string): Promise<Witness[]> {
  return jsonLines(await readFile(file, "utf8").catch(() => ""), witness);
}
