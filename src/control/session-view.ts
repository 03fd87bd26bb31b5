import { z } from "zod";

const time = z.iso.datetime();
const ms = z.int().min(0);

/** What a session of the pool is good for now; `in use` = by a person, or by a program that is not ours. */
export const SESSION_STATES = ["idle", "busy", "cooling", "in use", "missing"] as const;

/** A run that is under way in a session. */
export const runView = z.object({
  id: z.string(),
  /** The task's id. */
  job: z.string(),
  task: z.string(),
  /** Why the local pool does it. */
  reason: z.string(),
  session: z.string(),
  model: z.string(),
  attempt: z.int().min(1),
  phase: z.string(),
  /** Of the run. */
  started_at: time,
  /** Of the phase. */
  since: time,
  /** For how long the agent has shown no sign of life. */
  silent_ms: ms,
  /** Silent for more than half of its timeout, and not because it waits for a person. */
  stale: z.boolean(),
});
export type RunView = Readonly<z.infer<typeof runView>>;

/** A session of the pool, and the run that is in it. */
export const sessionView = z.object({
  name: z.string(),
  state: z.enum(SESSION_STATES),
  /** What to type to see it: `tmux -L ccl attach -t =ccl-auto-11`. */
  attach: z.string(),
  run: runView.nullable(),
});
export type SessionView = Readonly<z.infer<typeof sessionView>>;

/** The answer of `GET /api/sessions/:name/screen`: the pane's text with its colours as ANSI sequences. */
export const screenView = z.object({
  session: z.string(),
  at: time,
  columns: z.int(),
  rows: z.int(),
  text: z.string(),
});
export type ScreenView = Readonly<z.infer<typeof screenView>>;
