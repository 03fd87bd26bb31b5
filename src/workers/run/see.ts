import { setTimeout as sleep } from "node:timers/promises";
import type { LimitFunction } from "p-limit";
import { describeNeed } from "../claude/dialogs.ts";
import { endAgentTree } from "../claude/end-agent.ts";
import type { Need, Phase } from "../claude/phase.ts";
import type { Session } from "../tmux/pool.ts";
import { abandonRun } from "./abandon.ts";
import { Absence } from "./absence.ts";
import { RunFiles } from "./files.ts";
import { type EndedRun, type EndedState, finishRun } from "./finish.ts";
import type { RunParts } from "./parts.ts";
import { type RunRecord, taskOf } from "./record.ts";
import { isStillOurs } from "./standing.ts";
import { untilItWorks } from "./until-it-works.ts";
import { type Progress, watchRun } from "./watch.ts";

/** A limit is met at the first request: an agent that works for so long has passed it. */
const PROBE_MS = 10_000;

/** What ends the watch over a run before its agent does, and whose turn it is to change the run. */
export interface Watch {
  /** A stop: the run stays open. */
  readonly stopped: AbortSignal;
  /** Another host has taken its task over. */
  readonly lost: AbortSignal;
  /** Whoever changes the run or its job takes it: to end, or to follow its project. */
  readonly turn: LimitFunction;
}

/**
 * Sees a launched run to its end and finishes it, or drops it where another host has taken its task over. After a stop
 * the agent goes on and the run stays open.
 */
export async function seeRun(
  parts: RunParts,
  record: RunRecord,
  session: Session | null,
  { stopped, lost, turn }: Watch,
): Promise<void> {
  const files = new RunFiles(parts.store, record.id);
  const run = { parts, record, session, files, turn, absence: new Absence(record.id) };
  const state = await ended(run, AbortSignal.any([stopped, lost]));
  // Its file was taken away: by a person, or by a host that has begun it anew.
  if (state?.end.kind === "cancelled") await endAgentTree(await files.process(), parts.store.pathOf(record.id));
  const isOurs = !lost.aborted && (state === null || (await askRedis(parts, record, stopped)));
  if (isOurs === false) await turn(async () => await abandonRun(parts, record, session));
  else if (isOurs === true && state !== null) await finishRun({ ...run, state }, stopped);
  parts.board.remove(record.id);
}

/**
 * Whether the run's task is still its own. Waits until Redis answers, null when a stop comes first: a host that was cut
 * off must not finalise what others have taken over meanwhile.
 */
async function askRedis(parts: RunParts, record: RunRecord, stopped: AbortSignal): Promise<boolean | null> {
  return await untilItWorks(async () => await isStillOurs(parts, record), parts.onError, stopped);
}

async function ended(
  { parts, record, session, files, turn, absence }: Omit<EndedRun, "state">,
  signal: AbortSignal,
): Promise<EndedState | null> {
  if (record.state.name === "ended") {
    // They tell where the transcript is.
    await files.newEvents();
    return record.state;
  }
  const { config, store } = parts;
  const launchedAtMs = record.state.name === "launched" ? record.state.atMs : record.preparedAtMs;
  const limits = {
    promptTimeoutMs: config.promptTimeoutMs,
    timeoutMs: record.timeoutMs,
    attentionTimeoutMs: config.claude.attentionTimeoutMs,
  };
  const over = new AbortController();
  let isSubmitted = false;
  const onPhase = (phase: Phase) => {
    if (phase.name === "attention") tellNeed(parts, record, session, phase.need).catch(parts.onError);
    if (phase.name !== "running" || isSubmitted) return;
    isSubmitted = true;
    tellSubmitted(parts, record);
    passProbe(parts, record, over.signal).catch(parts.onError);
  };
  const onLook = (progress: Progress) => parts.board.put(record, progress);
  const isTypedIn = async () => session !== null && (await parts.pool.isTypedIn(session).catch(() => false));
  const watched = { record, launchedAtMs, store, files, absence, limits, isTypedIn, onPhase, onLook };
  const seen = await watchRun(watched, signal);
  over.abort();
  if (seen === null) return null;
  const screen = seen.end.kind === "finished" ? null : await screenOf(parts, session);
  const state: EndedState = { name: "ended", launchedAtMs, ...seen, screen };
  const keep = async () => {
    record.state = state;
    await store.save(record);
    return state;
  };
  return await untilItWorks(async () => await turn(keep), parts.onError, signal);
}

function tellSubmitted({ events }: RunParts, record: RunRecord): void {
  const { id: run, job: id, session } = record;
  events.emit({ type: "submitted", task: taskOf(record), id, session, run });
}

async function passProbe({ hold }: RunParts, { job }: RunRecord, over: AbortSignal): Promise<void> {
  const worked = await sleep(PROBE_MS, true, { signal: over }).catch(() => false);
  if (worked) await hold.passed(job);
}

async function tellNeed(parts: RunParts, record: RunRecord, session: Session | null, need: Need): Promise<void> {
  const screen = (await screenOf(parts, session)) ?? "";
  const what = describeNeed(need, screen);
  const task = taskOf(record);
  parts.events.emit({ type: "attention", task, id: record.job, session: record.session, what, screen });
}

async function screenOf({ tmux }: RunParts, session: Session | null): Promise<string | null> {
  return session === null ? null : await tmux.screen(session.pane).catch(() => null);
}
