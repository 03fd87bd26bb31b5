import { watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Wake } from "../../core/wake.ts";
import { isAlive } from "../process.ts";
import { afterEvent, afterLook, dueMs, type Look, type Phase, type PhaseLimits } from "./phase.ts";
import type { RunFiles } from "./run-files.ts";
import type { RunRecord } from "./run-record.ts";
import { type RunStore, runTag } from "./run-store.ts";

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
  /** Called with each new phase. */
  readonly onPhase: (phase: Phase) => void;
}

/** Sees a launched run through to its end. Resolves with null when the signal aborts first: the run goes on by itself. */
export async function watchRun(
  run: WatchedRun,
  signal: AbortSignal,
): Promise<Extract<Phase, { name: "ended" }> | null> {
  const wake = new Wake();
  const { store, record } = run;
  const watchers = [store.pathOf(record.id), store.pathOf(record.id, "events")].map((path) => watch(path, wake.poke));
  for (const watcher of watchers) watcher.on("error", wake.poke);
  try {
    let phase: Phase = { name: "launching", sinceMs: run.launchedAtMs };
    let movedAtMs = run.launchedAtMs;
    while (!signal.aborted) {
      const next = await step(run, phase, movedAtMs);
      if (next.phase.name !== phase.name) run.onPhase(next.phase);
      ({ phase, movedAtMs } = next);
      if (phase.name === "ended") return phase;
      await wake.wait(dueMs(phase, next.lookedAtMs) ?? LOOK_MS, signal);
    }
    return null;
  } finally {
    for (const watcher of watchers) watcher.close();
  }
}

/** One look, then every event that was kept before it: so a process that is gone cannot hide the Stop it left. */
async function step(
  run: WatchedRun,
  before: Phase,
  movedBeforeMs: number,
): Promise<{ phase: Phase; movedAtMs: number; lookedAtMs: number }> {
  const seen = await look(run.files);
  let phase = before;
  let movedAtMs = movedBeforeMs;
  for (const { event, atMs } of await run.files.newEvents()) {
    movedAtMs = Math.max(movedAtMs, atMs);
    if (event.session_id === run.record.claudeSession) phase = afterEvent(phase, event, atMs, runTag(run.record.id));
  }
  movedAtMs = Math.max(movedAtMs, await run.files.transcriptMovedAtMs());
  return { phase: afterLook(phase, { ...seen, movedAtMs }, run.limits), movedAtMs, lookedAtMs: seen.atMs };
}

async function look(files: RunFiles): Promise<Omit<Look, "movedAtMs">> {
  const process = await files.process();
  const alive = process === null || (await isAlive(process));
  const exitCode = alive ? await files.exitCode() : await exitCodeSoon(files);
  const live = process === null ? null : await files.liveStatus(process.pid);
  return {
    atMs: Date.now(),
    alive,
    exitCode,
    status: live?.status ?? null,
    statusSinceMs: live?.statusUpdatedAt ?? 0,
    waitingFor: live?.waitingFor ?? null,
  };
}

/** The launch script writes the code a moment after the agent is gone, unless it was killed with it. */
async function exitCodeSoon(files: RunFiles): Promise<number | null> {
  const deadline = performance.now() + EXIT_FILE_MS;
  for (;;) {
    const code = await files.exitCode();
    if (code !== null || performance.now() > deadline) return code;
    await sleep(EXIT_POLL_MS);
  }
}
