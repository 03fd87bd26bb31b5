import { setTimeout as sleep } from "node:timers/promises";
import type { LimitFunction } from "p-limit";
import { isSystemError, QueueError } from "../../core/errors.ts";
import type { Spent } from "../../core/events.ts";
import { failureOf } from "../../core/outcome.ts";
import { judge, type Verdict } from "../../core/verdict.ts";
import { cancellation } from "../../ledger/cancellation.ts";
import { hasInbox, isTaken, unclaim } from "../../ledger/claim.ts";
import { claimedPath } from "../../ledger/layout.ts";
import { projectAway } from "../../ledger/project-away.ts";
import { type RunFooter, shelveClaimed, takeAndShelve } from "../../ledger/shelve.ts";
import { spentOf } from "../../ledger/spent.ts";
import { cancelledEnding, type LocalPayload } from "../../queue/payload.ts";
import { endAgent, endAgentTree } from "../claude/end-agent.ts";
import { readLimitReset } from "../claude/limit-reset.ts";
import { readUsage } from "../claude/usage.ts";
import { isAlive, type ProcessId } from "../process.ts";
import type { Session } from "../tmux/pool.ts";
import type { Absence } from "./absence.ts";
import type { RunFiles } from "./files.ts";
import type { RunParts } from "./parts.ts";
import { type RunRecord, taskOf } from "./record.ts";
import { untilItWorks } from "./until-it-works.ts";

export interface EndedRun {
  readonly parts: RunParts;
  readonly record: RunRecord;
  readonly state: EndedState;
  readonly files: RunFiles;
  readonly absence: Absence;
  readonly turn: LimitFunction;
  /** null when the session went away with the run. */
  readonly session: Session | null;
}

export type EndedState = Extract<RunRecord["state"], { name: "ended" }>;

/** How long a living agent may take to write its conversation down. */
const KEPT_MS = 2_000;
const KEPT_POLL_MS = 20;
/** What Claude Code says of a session that it cannot resume. */
const NO_CONVERSATION = /No conversation found/;
/** Ends before the prompt was taken say that the session itself may be at fault. */
const COOLS = ["blocked", "not-submitted", "crashed"];

/**
 * Takes an ended run to its end: the agent is gone, the task is done, failed or waits again, the session is free.
 * Every step may be repeated, so a failure is tried again and a restart goes on here.
 */
export async function finishRun(run: EndedRun, signal: AbortSignal): Promise<void> {
  const finish = async () => await finishOnce(run);
  await untilItWorks(async () => await run.turn(finish), run.parts.onError, signal);
}

async function finishOnce(run: EndedRun): Promise<void> {
  const { files, parts, record, state } = run;
  const agent = await files.process();
  if (state.end.kind !== "finished" && state.submitted && agent !== null) await untilKept(files, agent);
  if (state.end.kind !== "finished") await endAgentTree(agent, parts.store.pathOf(record.id));
  else if (agent !== null) await endAgent(agent);
  const { attempts, backoffMs } = parts.config.claude;
  const resetsAtMs = await resetOf(run);
  const verdict = judge({ end: state.end, attempt: record.attempt, attempts, backoffMs, resetsAtMs }, parts.now());
  await carryOut(verdict, run);
}

/** An agent that is ended within a moment of its prompt would take the conversation with it. */
async function untilKept(files: RunFiles, agent: ProcessId): Promise<void> {
  const deadline = performance.now() + KEPT_MS;
  while (performance.now() < deadline && !(await files.hasConversation()) && isAlive(agent)) await sleep(KEPT_POLL_MS);
}

async function carryOut(verdict: Verdict, run: EndedRun): Promise<void> {
  const { parts, record, state } = run;
  const { session } = record;
  const told = { task: taskOf(record), id: record.job };
  const decision = { route: "local", reason: record.reason } as const;
  const failure = failureOf(state.end);
  const reason = failure === null ? "" : `${failure.code}: ${failure.message}`;
  // Whoever took a prompt and met no limit has shown that there is none any more.
  if (verdict.kind !== "held" && state.submitted) await parts.hold.passed(record.job);
  else parts.hold.unused(record.job);
  switch (verdict.kind) {
    case "done": {
      const over = await shelve(run, "done");
      if (over === null) return await carryOut({ kind: "cancelled" }, run);
      await parts.fetcher.complete(record.job, { ...over, result: "done" });
      await close(run);
      return parts.events.emit({ ...told, ...over, decision, type: "done" });
    }
    case "failed": {
      const over = await shelve(run, "failed");
      if (over === null) return await carryOut({ kind: "cancelled" }, run);
      await parts.fetcher.fail(record.job, new Error(reason), { ...over, result: "failed" });
      await close(run);
      return parts.events.emit({ ...told, ...over, decision, type: "failed", reason });
    }
    case "cancelled":
      await parts.fetcher.complete(record.job, { ...cancelledEnding, by: session });
      await close(run);
      return parts.events.emit(await cancellation(told.task, told.id, decision));
    case "retry":
      if (!(await giveBack(run, { attempts: record.attempt }, verdict.delayMs)))
        return await carryOut({ kind: "cancelled" }, run);
      return parts.events.emit({ ...told, type: "retrying", session, reason, delayMs: verdict.delayMs });
    case "held":
      await parts.hold.raise(verdict.hold);
      if (!(await giveBack(run, { attempts: record.attempt - 1 }, 0)))
        return await carryOut({ kind: "cancelled" }, run);
      return parts.events.emit({ ...told, type: "held", session, reason, untilMs: verdict.hold.untilMs });
  }
}

/**
 * The task waits again. What the agent has done so far is in its Claude session, so the next run goes on there. False
 * when the task has gone for good, with its project.
 */
async function giveBack(run: EndedRun, left: Pick<LocalPayload, "attempts">, delayMs: number): Promise<boolean> {
  const { parts, record } = run;
  const task = taskOf(record);
  const { claudeSession: session, promptHash } = record;
  const resume = (await canBeResumed(run)) ? { session, promptHash } : null;
  await parts.fetcher.amend(record.job, { ...left, resume });
  const hasItsName = await unclaim(task);
  // Only now: a project that is renamed in between has taken the claim along.
  if (!(await hasInbox(task))) {
    if (await run.absence.isTakenAway(task)) return false;
    throw projectAway(task);
  }
  await close(run);
  // Whatever has the name now is another task, and this one gets a job under its new one.
  if (hasItsName) await parts.fetcher.putBack(record.job, delayMs);
  else await parts.fetcher.discard(record.job);
  return true;
}

/** Whether another run could go on in its Claude session. One that died before it was there has left it as it was. */
async function canBeResumed({ files, record, state }: EndedRun): Promise<boolean> {
  if (await files.hasConversation()) return true;
  return record.resumed && !state.submitted && !NO_CONVERSATION.test(await files.stderr());
}

/** The run is closed, and its session is free. */
async function close({ parts, record, state, session }: EndedRun): Promise<void> {
  await parts.store.close(record);
  const cooldown = !state.submitted && COOLS.includes(state.end.kind);
  if (session !== null) await parts.pool.release(session, { cooldown });
}

interface Shelved {
  readonly path: string;
  readonly by: string;
  readonly spent: Spent;
}

/** null when the task was cancelled at the last moment. */
async function shelve(run: EndedRun, shelf: "done" | "failed"): Promise<Shelved | null> {
  const task = taskOf(run.record);
  const footer = await footerOf(run);
  const path = await takeAndShelve(task, claimedPath(task), shelf, footer).catch(async (error: unknown) => {
    const isMissing = isSystemError(error, "ENOENT");
    const isAway = error instanceof QueueError && error.code === "PROJECT_AWAY";
    if (!isMissing && !isAway) throw error;
    if (await run.absence.isTakenAway(task)) return null;
    // What is at its end already goes on with that.
    if (isAway || !(await hasInbox(task)) || (await isTaken(task, run.record.id))) throw error;
    return await shelveClaimed(task, shelf, footer);
  });
  return path === null ? null : { path, by: run.record.session, spent: spentOf(footer) };
}

async function resetOf({ parts, files, record, state }: EndedRun): Promise<number | null> {
  if (state.end.kind !== "limited") return null;
  const statusFile = parts.store.pathOf(record.id, "status.json");
  return await readLimitReset(files.transcript, statusFile, state.end.message, state.atMs);
}

async function footerOf({ parts, record, files, state }: EndedRun): Promise<RunFooter> {
  const failure = failureOf(state.end);
  const usage = await readUsage(files.transcript, parts.store.pathOf(record.id, "status.json"));
  const text = state.end.kind === "finished" ? state.end.message : await whatWasSeen(files, state.screen);
  return {
    result: failure === null ? "done" : "failed",
    finishedAt: new Date(state.atMs),
    route: `local: ${record.reason}`,
    session: record.session,
    model: record.model,
    run: record.id,
    attempts: record.attempt,
    durationMs: state.atMs - state.launchedAtMs,
    error: failure ?? undefined,
    tokens: usage.tokens,
    costUsd: usage.costUsd,
    text: text || undefined,
  };
}

/** What a person needs to see why a run failed: what the agent complained of, and its screen. */
async function whatWasSeen(files: RunFiles, screen: string | null): Promise<string> {
  return [await files.stderr(), screen ?? ""].filter((part) => part !== "").join("\n\n");
}
