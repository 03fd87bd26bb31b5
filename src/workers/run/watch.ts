import { type FSWatcher, watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ClockJumps } from "../../core/clock-jumps.ts";
import type { RunEnd } from "../../core/outcome.ts";
import { Wake } from "../../core/wake.ts";
import type { Look, Phase, PhaseLimits, Rules } from "../claude/phase.ts";
import { dueMs, isSettled } from "../claude/settling.ts";
import { transition } from "../claude/transition.ts";
import { Turns } from "../claude/turns.ts";
import { isAlive } from "../process.ts";
import type { Absence } from "./absence.ts";
import type { Exit, RunFiles } from "./files.ts";
import { type RunRecord, taskOf } from "./record.ts";
import { type RunStore, runTag } from "./store.ts";

/** How often a run is looked at when nothing wakes us: for what leaves no file behind, such as a killed process. */
const LOOK_MS = 1_000;
const EXIT_FILE_MS = 300;
const EXIT_POLL_MS = 20;

export interface WatchedRun {
  readonly record: RunRecord;
  readonly launchedAtMs: number;
  readonly store: RunStore;
  readonly files: RunFiles;
  readonly limits: PhaseLimits;
  readonly absence: Absence;
  /** Whether a person is typing in the run's session. */
  readonly isTypedIn: () => Promise<boolean>;
  /** Called with each new phase but the last. */
  readonly onPhase: (phase: Phase) => void;
  /** Called after each look with what is known by then. */
  readonly onLook: (progress: Progress) => void;
}

/** A run that was seen to its end. */
export interface SeenRun {
  readonly atMs: number;
  readonly end: RunEnd;
  /** Whether the agent ever took the prompt: only then is there a session to go on with. */
  readonly submitted: boolean;
}

/** How far a run has come. */
export interface Progress {
  readonly phase: Phase;
  /** When it last showed a sign of life, in ms since the epoch. */
  readonly movedAtMs: number;
  readonly submitted: boolean;
  /** When the last look was taken. */
  readonly lookedAtMs: number;
  /** How soon time alone could end the phase, where that is sooner than the next look. */
  readonly dueMs: number | null;
}

/** What the agent's process and files show by themselves. */
interface Looked extends Pick<Look, "atMs" | "alive" | "status" | "statusSinceMs" | "waitingFor"> {
  readonly exit: Exit | null;
}

/** What a watch remembers from one look to the next. */
interface Memory {
  readonly clock: ClockJumps;
  readonly turns: Turns;
}

/** Sees a launched run through to its end. Resolves with null when the signal aborts first: the run goes on by itself. */
export async function watchRun(run: WatchedRun, signal: AbortSignal): Promise<SeenRun | null> {
  const wake = new Wake();
  const { store, record, launchedAtMs } = run;
  const folders = [store.pathOf(record.id), store.pathOf(record.id, "events")];
  const watchers = folders.flatMap((path) => watched(path, wake.poke));
  try {
    let progress: Progress = {
      phase: { name: "launching", sinceMs: launchedAtMs },
      movedAtMs: launchedAtMs,
      submitted: false,
      lookedAtMs: launchedAtMs,
      dueMs: null,
    };
    const memory = { clock: new ClockJumps(), turns: new Turns() };
    while (!signal.aborted) {
      progress = await step(run, progress, memory);
      run.onLook(progress);
      const { phase, submitted } = progress;
      if (phase.name === "ended") return { atMs: phase.sinceMs, end: phase.end, submitted };
      await wake.wait(progress.dueMs ?? LOOK_MS, signal);
    }
    return null;
  } finally {
    for (const watcher of watchers) watcher.close();
  }
}

/** A clock that was set is no time that went by: nobody has been silent, or waited for, any longer. */
function shifted(progress: Progress, jumpMs: number): Progress {
  const { phase, movedAtMs, lookedAtMs } = progress;
  return {
    ...progress,
    phase: { ...phase, sinceMs: phase.sinceMs + jumpMs },
    movedAtMs: movedAtMs + jumpMs,
    lookedAtMs: lookedAtMs + jumpMs,
  };
}

/** Nothing where the system watches no more directories: then the looks find everything, a little later. */
function watched(path: string, onChange: () => void): FSWatcher[] {
  try {
    return [watch(path, onChange).on("error", onChange)];
  } catch {
    return [];
  }
}

/** One look, then every event that was kept before it: so a process that is gone cannot hide the Stop it left. */
async function step(run: WatchedRun, before: Progress, { clock, turns }: Memory): Promise<Progress> {
  const rules: Rules = { tag: runTag(run.record.id), limits: run.limits };
  // As it is now: the record follows its project also in the middle of a look.
  const task = taskOf(run.record);
  const { exit, ...looked } = await look(run.files);
  const seen = { ...looked, exitCode: exit?.code ?? null, cancelled: await run.absence.isTakenAway(task) };
  const known = shifted(before, clock.takeMs(seen.atMs));
  const lastAliveMs = exit?.atMs ?? known.lookedAtMs;
  let progress = { ...known, lookedAtMs: seen.atMs };
  for (const { event, atMs } of await run.files.newEvents()) {
    const isNews = event.session_id === run.record.claudeSession && !turns.isRepeated(event);
    const phase = isNews ? transition(progress.phase, { kind: "event", event, atMs }, rules) : progress.phase;
    progress = moved(run, progress, phase, Math.max(progress.movedAtMs, atMs));
  }
  const movedAtMs = Math.max(progress.movedAtMs, await run.files.transcriptMovedAtMs());
  const typedIn = isSettled(progress.phase, seen, seen.atMs) && (await run.isTypedIn());
  const phase = transition(progress.phase, { kind: "look", look: { ...seen, movedAtMs, lastAliveMs, typedIn } }, rules);
  return { ...moved(run, progress, phase, movedAtMs), dueMs: dueMs(phase, seen, seen.atMs) };
}

function moved(run: WatchedRun, before: Progress, phase: Phase, movedAtMs: number): Progress {
  if (phase.name !== before.phase.name && phase.name !== "ended") run.onPhase(phase);
  return { ...before, phase, movedAtMs, submitted: before.submitted || phase.name === "running" };
}

async function look(files: RunFiles): Promise<Looked> {
  const process = await files.process();
  const alive = process === null || isAlive(process);
  const exit = alive ? await files.exit() : await exitSoon(files);
  const live = process === null ? null : await files.liveStatus(process.pid);
  return {
    atMs: Date.now(),
    alive,
    exit,
    status: live?.status ?? null,
    statusSinceMs: live?.statusUpdatedAt ?? 0,
    waitingFor: live?.waitingFor ?? null,
  };
}

/** The launch script writes the code a moment after the agent is gone, unless it was killed with it. */
async function exitSoon(files: RunFiles): Promise<Exit | null> {
  const deadline = performance.now() + EXIT_FILE_MS;
  for (;;) {
    const exit = await files.exit();
    if (exit !== null || performance.now() > deadline) return exit;
    await sleep(EXIT_POLL_MS);
  }
}
