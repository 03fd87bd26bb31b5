import { z } from "zod";
import { PRIORITIES } from "../../core/task.ts";

const text = z.string();
const ms = z.number();

const runEnd = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("finished"), message: text }),
  z.object({ kind: z.literal("limited"), message: text }),
  z.object({ kind: z.literal("unauthorised"), message: text }),
  z.object({ kind: z.literal("api-error"), error: text, message: text }),
  z.object({ kind: z.literal("blocked"), waitedMs: ms }),
  z.object({ kind: z.literal("not-submitted"), waitedMs: ms }),
  z.object({ kind: z.literal("needs-attention"), waitingFor: text }),
  z.object({ kind: z.literal("interrupted") }),
  z.object({ kind: z.literal("crashed"), exitCode: z.number().nullable() }),
  z.object({ kind: z.literal("timed-out"), silentMs: ms }),
  z.object({ kind: z.literal("lost") }),
]);

/** What `run.json` holds: written before each step is taken, so that a restart knows which were. */
export const runRecord = z.object({
  /** The job's id and the number of its start: `k3f9x2abcd-1`. */
  id: text,
  job: text,
  project: text,
  name: text,
  priority: z.enum(PRIORITIES),
  reason: text,
  session: text,
  model: text,
  /** Claude Code's own session id. */
  claudeSession: z.uuid(),
  preparedAtMs: ms,
  state: z.discriminatedUnion("name", [
    z.object({ name: z.literal("prepared") }),
    z.object({ name: z.literal("launched"), atMs: ms }),
    z.object({ name: z.literal("ended"), launchedAtMs: ms, atMs: ms, end: runEnd, screen: text.nullable() }),
    z.object({ name: z.literal("closed"), atMs: ms }),
  ]),
});

export type RunRecord = z.infer<typeof runRecord>;
