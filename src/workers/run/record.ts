import { basename } from "node:path";
import { z } from "zod";
import { runEnd } from "../../core/outcome.ts";
import { PRIORITIES, type TaskFile } from "../../core/task.ts";
import { FOREVER_MS } from "../../core/verdict.ts";
import { isTaskName } from "../../ledger/layout.ts";

const text = z.string();
/** What a Date can hold. */
const ms = z.number().min(-FOREVER_MS).max(FOREVER_MS);
/** A file's in an inbox, and of nothing outside. */
const taskName = text.refine((name) => isTaskName(name) && basename(name) === name);

/** What `run.json` holds: written before each step is taken, so that a restart knows which were. */
export const runRecord = z.object({
  /** The job's id and the number of its start: `k3f9x2abcd-1`. */
  id: text,
  job: text,
  /** It follows a project that is renamed. */
  project: text,
  name: taskName,
  priority: z.enum(PRIORITIES),
  reason: text,
  session: text,
  model: text,
  /** Claude Code's own session id, and whether it is one that an earlier run began. */
  claudeSession: z.uuid(),
  resumed: z.boolean(),
  /** Counting this one. */
  attempt: z.int().min(1),
  /** Of the prompt: a task that was edited is not resumed. */
  promptHash: text,
  timeoutMs: ms,
  preparedAtMs: ms,
  state: z.discriminatedUnion("name", [
    z.object({ name: z.literal("prepared") }),
    z.object({ name: z.literal("launched"), atMs: ms }),
    z.object({
      name: z.literal("ended"),
      launchedAtMs: ms,
      atMs: ms,
      end: runEnd,
      submitted: z.boolean(),
      screen: text.nullable(),
    }),
    z.object({ name: z.literal("closed"), atMs: ms }),
  ]),
});

export type RunRecord = z.infer<typeof runRecord>;

/** The task that a run is for. */
export function taskOf({ project, name }: RunRecord): TaskFile {
  return { project, name };
}
