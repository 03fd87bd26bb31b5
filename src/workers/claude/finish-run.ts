import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "../../core/duration.ts";
import type { TaskEvents } from "../../core/events.ts";
import { failureOf } from "../../core/outcome.ts";
import type { TaskFile } from "../../core/task.ts";
import type { Footer } from "../../ledger/footer.ts";
import { shelveClaimed } from "../../ledger/shelve.ts";
import type { HostFetcher } from "../../queue/host-fetcher.ts";
import type { Pool, Session } from "../tmux/pool.ts";
import { endAgent } from "./end-agent.ts";
import type { RunFiles } from "./run-files.ts";
import type { RunRecord } from "./run-record.ts";
import type { RunStore } from "./run-store.ts";
import { readUsage } from "./usage.ts";

export interface EndedRun {
  readonly record: RunRecord;
  readonly files: RunFiles;
  /** null when the session went away with the run. */
  readonly session: Session | null;
  readonly pool: Pool;
  readonly fetcher: HostFetcher;
  readonly store: RunStore;
  readonly events: TaskEvents;
  readonly onError: (error: unknown) => void;
}

type Ended = Extract<RunRecord["state"], { name: "ended" }>;

/** How soon a step is tried again that failed, such as writing to a full disk. */
const RETRY_MS = 5_000;
/** Ends that say the session itself may be at fault. */
const COOLS = ["blocked", "not-submitted"];

/**
 * Takes an ended run to its end: the agent is gone, the file is in done/ or failed/, the job is over, the session
 * free. Every step may be repeated, so a failure is tried again and a restart goes on here.
 */
export async function finishRun(run: EndedRun, signal: AbortSignal): Promise<void> {
  const { state } = run.record;
  if (state.name !== "ended") return;
  for (;;) {
    try {
      return await finishOnce(run, state);
    } catch (error) {
      run.onError(error);
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

async function finishOnce(run: EndedRun, state: Ended): Promise<void> {
  const { record, files, store, fetcher, pool, session, events } = run;
  const process = await files.process();
  if (process !== null) await endAgent(process);
  const failure = failureOf(state.end);
  const task: TaskFile = { project: record.project, name: record.name };
  const path = await shelveClaimed(task, failure === null ? "done" : "failed", await footerOf(run, state));
  const durationMs = state.atMs - state.launchedAtMs;
  if (failure === null) await fetcher.complete(record.job, { result: "done", path });
  else await fetcher.fail(record.job, new Error(`${failure.code}: ${failure.message}`));
  await store.save({ ...record, state: { name: "closed", atMs: Date.now() } });
  if (session !== null) await pool.release(session, { cooldown: COOLS.includes(state.end.kind) });
  const told = { task, id: record.job, session: record.session, path };
  if (failure === null) events.emit({ ...told, type: "done", durationMs });
  else
    events.emit({
      ...told,
      type: "failed",
      reason: `${failure.code}: ${failure.message}, after ${formatDuration(durationMs)}`,
    });
}

async function footerOf({ record, files, store }: EndedRun, state: Ended): Promise<Footer> {
  const failure = failureOf(state.end);
  const usage = await readUsage(files.transcript, store.pathOf(record.id, "status.json"));
  const text = state.end.kind === "finished" ? state.end.message : await whatWasSeen(files, state.screen);
  return {
    result: failure === null ? "done" : "failed",
    finishedAt: new Date(state.atMs),
    route: `local: ${record.reason}`,
    session: record.session,
    model: record.model,
    run: record.id,
    attempts: 1,
    durationMs: state.atMs - state.launchedAtMs,
    ...(failure === null ? {} : { error: failure }),
    ...(usage.tokens === undefined ? {} : { tokens: usage.tokens }),
    ...(usage.costUsd === undefined ? {} : { costUsd: usage.costUsd }),
    ...(text === "" ? {} : { text }),
  };
}

/** What a person needs to see why a run failed: what the agent complained of, and its screen. */
async function whatWasSeen(files: RunFiles, screen: string | null): Promise<string> {
  return [await files.stderr(), screen ?? ""].filter((part) => part !== "").join("\n\n");
}
