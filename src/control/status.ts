import { z } from "zod";
import { formatDuration } from "../core/duration.ts";
import { taskLabel } from "../core/task.ts";
import type { TaskQueues } from "../queue/task-queues.ts";
import type { DelegationParts } from "../workers/delegation/parts.ts";
import type { PoolHold } from "../workers/pool-hold.ts";
import type { LiveRun, RunBoard } from "../workers/run/board.ts";
import type { Pool } from "../workers/tmux/pool.ts";
import { delegationCounts, readDelegationCounts } from "./delegation-status.ts";

/** The overall verdict, the worst first. */
const VERDICTS = ["attention", "held", "stale", "ok"] as const;

const time = z.iso.datetime();
const ms = z.int().min(0);
const count = z.int().min(0);
const backlog = z.object({ waiting: count, active: count, delayed: count, oldest_ms: ms.nullable() });

/** The answer of `GET /watchdog/status` and of `ccl-queue status --json`. All times are ISO 8601, durations in ms. */
export const statusSchema = z.object({
  verdict: z.enum(VERDICTS),
  /** What led to a verdict other than ok, for people. */
  reasons: z.array(z.string()),
  at: time,
  hold: z.object({ kind: z.enum(["limit", "login"]), since: time, until: time, message: z.string() }).nullable(),
  sessions: z.array(z.object({ name: z.string(), state: z.enum(["idle", "busy", "cooling", "in use", "missing"]) })),
  runs: z.array(
    z.object({
      id: z.string(),
      job: z.string(),
      task: z.string(),
      /** Why the local pool does it. */
      reason: z.string(),
      session: z.string(),
      model: z.string(),
      attempt: count,
      phase: z.string(),
      since: time,
      /** For how long the agent has shown no sign of life. */
      silent_ms: ms,
      /** Silent for more than half of its timeout, and not because it waits for a person. */
      stale: z.boolean(),
    }),
  ),
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
  const nowMs = sources.now();
  const [sessions, queues, delegation] = await Promise.all([
    sources.pool.states(),
    readQueues(sources.queues, nowMs),
    readDelegationCounts(sources.delegation),
  ]);
  const runs = sources.board.list().map((run) => shownRun(run, Date.now()));
  const { current } = sources.hold;
  const hold = current && {
    kind: current.kind,
    since: iso(current.sinceMs),
    until: iso(current.untilMs),
    message: current.message,
  };
  return { ...verdictOf(runs, hold, nowMs), at: iso(nowMs), hold, sessions, runs, queues, delegation };
}

type ShownRun = Status["runs"][number];

function shownRun({ record, progress: { phase, movedAtMs } }: LiveRun, nowMs: number): ShownRun {
  const silentMs = Math.max(0, Math.round(nowMs - movedAtMs));
  return {
    id: record.id,
    job: record.job,
    task: taskLabel(record),
    reason: record.reason,
    session: record.session,
    model: record.model,
    attempt: record.attempt,
    phase: phase.name,
    since: iso(phase.sinceMs),
    silent_ms: silentMs,
    stale: phase.name !== "attention" && silentMs > record.timeoutMs / 2,
  };
}

/** A delegated task is never stale: the platform works at its own pace. */
function verdictOf(
  runs: readonly ShownRun[],
  hold: Status["hold"],
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
function holdReason({ until, message }: NonNullable<Status["hold"]>, nowMs: number): string {
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

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
