import { z } from "zod";
import { formatDuration } from "../core/duration.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import type { DelegationParts } from "../workers/delegation/parts.ts";
import type { PoolHold } from "../workers/pool-hold.ts";
import type { RunBoard } from "../workers/run/board.ts";
import type { Pool, SessionLook } from "../workers/tmux/pool.ts";
import { delegationCounts, readDelegationCounts } from "./delegation-status.ts";
import { type HoldView, holdView, viewHold } from "./hold-view.ts";
import { viewRun } from "./run-view.ts";
import { type RunView, runView, SESSION_STATES } from "./session-view.ts";

/** The overall verdict, the worst first. */
export const VERDICTS = ["attention", "held", "stale", "ok"] as const;

const ms = z.int().min(0);
const count = z.int().min(0);
const backlog = z.object({ waiting: count, active: count, delayed: count, oldest_ms: ms.nullable() });

/** The answer of `GET /watchdog/status` and of `ccl-queue status --json`. All times are ISO 8601, durations in ms. */
export const statusSchema = z.object({
  verdict: z.enum(VERDICTS),
  /** What led to a verdict other than ok, for people. */
  reasons: z.array(z.string()),
  at: z.iso.datetime(),
  hold: holdView.nullable(),
  sessions: z.array(z.object({ name: z.string(), state: z.enum(SESSION_STATES) })),
  runs: z.array(runView),
  queues: z.object({ inbox: backlog, local: backlog, delegated: backlog }),
  delegation: delegationCounts,
});
export type Status = z.infer<typeof statusSchema>;

export interface StatusSources {
  readonly pool: Pool;
  readonly board: RunBoard;
  readonly hold: PoolHold;
  readonly queues: TaskQueues;
  readonly delegation: DelegationParts;
  readonly now: () => number;
}

/** How the queue stands. @throws {QueueError} TMUX_FAILED when nothing is known of the sessions */
export async function readStatus(sources: StatusSources): Promise<Status> {
  return await statusWith(await sources.pool.look(), sources);
}

/** The same, of sessions that were looked at already. */
export async function statusWith(looks: readonly SessionLook[], sources: StatusSources): Promise<Status> {
  const nowMs = sources.now();
  const [queues, delegation] = await Promise.all([
    readQueues(sources.queues, nowMs),
    readDelegationCounts(sources.delegation),
  ]);
  const runs = sources.board.list().map((run) => viewRun(run, Date.now()));
  const hold = viewHold(sources.hold.current);
  const sessions = looks.map(({ name, state }) => ({ name, state }));
  const at = new Date(nowMs).toISOString();
  return { ...verdictOf(runs, hold, nowMs), at, hold, sessions, runs, queues, delegation };
}

/** A delegated task is never stale: the platform works at its own pace. */
function verdictOf(
  runs: readonly RunView[],
  hold: HoldView | null,
  nowMs: number,
): Pick<Status, "verdict" | "reasons"> {
  const waiting = runs.filter(({ phase }) => phase === "attention");
  const stale = runs.filter((run) => run.stale);
  const reasons = {
    attention: waiting.map(({ task, session }) => `${task} needs attention in ${session}`),
    held: hold === null ? [] : [holdReason(hold, nowMs)],
    stale: stale.map(
      ({ task, session, silent_ms }) => `${task} in ${session} is silent for ${formatDuration(silent_ms)}`,
    ),
    ok: [],
  };
  return {
    verdict: VERDICTS.find((verdict) => reasons[verdict].length > 0) ?? "ok",
    reasons: VERDICTS.flatMap((verdict) => reasons[verdict]),
  };
}

/** A hold lasts until a task has shown that its cause is gone, also when its time is over. */
function holdReason({ until, message }: HoldView, nowMs: number): string {
  if (until === null) return `the pool is held until somebody resumes it: ${message}`;
  const isOver = Date.parse(until) <= nowMs;
  return isOver
    ? `one task goes first to see whether this is over: ${message}`
    : `the pool is held until ${until}: ${message}`;
}

async function readQueues(queues: TaskQueues, nowMs: number): Promise<Status["queues"]> {
  const { inbox, local, delegated } = await queues.backlogs();
  const shown = ({ oldestAtMs, ...counts }: typeof inbox) => ({
    ...counts,
    oldest_ms: oldestAtMs === null ? null : Math.max(0, nowMs - oldestAtMs),
  });
  return { inbox: shown(inbox), local: shown(local), delegated: shown(delegated) };
}
