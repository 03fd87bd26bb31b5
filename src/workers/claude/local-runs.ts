import { randomUUID } from "node:crypto";
import type { Config } from "../../config/config.ts";
import type { TaskEvents } from "../../core/events.ts";
import { taskKey } from "../../core/id.ts";
import type { TaskFile } from "../../core/task.ts";
import { claim, unclaim } from "../../ledger/claim.ts";
import { readClaimed } from "../../ledger/read-task.ts";
import { shelveClaimed } from "../../ledger/shelve.ts";
import type { HostFetcher, LocalJob } from "../../queue/host-fetcher.ts";
import type { Pool, Session } from "../tmux/pool.ts";
import type { Tmux } from "../tmux/tmux.ts";
import { finishRun } from "./finish-run.ts";
import type { Phase } from "./phase.ts";
import { RunFiles } from "./run-files.ts";
import type { RunRecord } from "./run-record.ts";
import { type RunStore, runArguments } from "./run-store.ts";
import { watchRun } from "./watch-run.ts";

export interface LocalRunsOptions {
  readonly config: Config;
  readonly tmux: Tmux;
  readonly pool: Pool;
  readonly fetcher: HostFetcher;
  readonly store: RunStore;
  readonly events: TaskEvents;
  readonly onError: (error: unknown) => void;
}

/** How soon a job is looked at again whose file is being written, or whose launch tmux refused. */
const UNFINISHED_RETRY_MS = 500;
const LAUNCH_RETRY_MS = 5_000;

/** Carries a job through one run in a reserved session: claim, launch, watch, finish. */
export class LocalRuns {
  readonly #options: LocalRunsOptions;
  /** The tasks whose files are in our hands. */
  readonly #running = new Set<string>();

  constructor(options: LocalRunsOptions) {
    this.#options = options;
  }

  /** Whether a run of ours holds a task's file. */
  isRunning(task: TaskFile): boolean {
    return this.#running.has(taskKey(task));
  }

  /** Runs a job and gives the session back. When the signal aborts, the agent goes on and its run stays open. */
  async execute(job: LocalJob, session: Session, signal: AbortSignal): Promise<void> {
    await this.#holding(job.payload, async () => await this.#execute(job, session, signal));
  }

  async #execute(job: LocalJob, session: Session, signal: AbortSignal): Promise<void> {
    const record = await this.#prepare(job, session.name).catch(async (error: unknown) => {
      this.#options.pool.free(session);
      await this.#options.fetcher.putBack(job.id, LAUNCH_RETRY_MS);
      throw error;
    });
    if (record === null) return this.#options.pool.free(session);
    const launched = await this.#launch(record, session);
    if (launched !== null) await this.#see(launched, session, signal);
  }

  /** Goes on with every run that an earlier daemon left open. `held` are the jobs that it held. */
  async recover(held: readonly LocalJob[], signal: AbortSignal): Promise<Promise<void>[]> {
    const { store, fetcher, pool } = this.#options;
    const open = await store.open();
    const resumed: Promise<void>[] = [];
    for (const record of open) {
      const session = await pool.adopt(record.id);
      const wasLaunched = session !== null || (await new RunFiles(store, record.id).process()) !== null;
      if (wasLaunched || record.state.name === "ended")
        resumed.push(this.#holding(record, async () => await this.#see(record, session, signal)));
      else await this.#takeBack(record);
    }
    const known = new Set(open.map(({ job }) => job));
    for (const { id } of held) if (!known.has(id)) await fetcher.putBack(id);
    await this.#releaseLeftovers(open);
    return resumed;
  }

  /** Journals the run, claims the file and writes what the agent needs; null when there is nothing to run. */
  async #prepare(job: LocalJob, session: string): Promise<RunRecord | null> {
    const { store, fetcher, events } = this.#options;
    const record = this.#record(job, session);
    const task = taskOf(record);
    await store.create(record);
    const claimed = await claim(task, job.payload.fingerprint);
    if (claimed !== "claimed") {
      await store.remove(record.id);
      if (claimed === "unfinished") await fetcher.putBack(job.id, UNFINISHED_RETRY_MS);
      else {
        await fetcher.complete(job.id, { result: "cancelled" });
        events.emit({ type: "cancelled", task, id: job.id });
      }
      return null;
    }
    const parsed = await readClaimed(task);
    if (!parsed.ok) {
      await this.#reject(record, parsed.reason);
      return null;
    }
    await store.writePrompt(record.id, parsed.prompt);
    return { ...record, priority: parsed.header.priority, model: this.#model(parsed.header.priority) };
  }

  /** Starts the agent; null when tmux would not, and the job waits again. */
  async #launch(record: RunRecord, session: Session): Promise<RunRecord | null> {
    const { store, tmux, config, events, onError } = this.#options;
    const launched: RunRecord = { ...record, state: { name: "launched", atMs: Date.now() } };
    await store.save(launched);
    try {
      await tmux.startRun(session.pane, record.id, runArguments(store, launched, config.claude));
    } catch (error) {
      onError(error);
      return await this.#afterRefusal(launched, session);
    }
    events.emit({
      type: "launched",
      task: taskOf(record),
      id: record.job,
      session: session.name,
      model: launched.model,
      run: record.id,
    });
    return launched;
  }

  /** Only a pane that is proved to hold no agent lets the job go back: otherwise the run is watched after all. */
  async #afterRefusal(record: RunRecord, session: Session): Promise<RunRecord | null> {
    try {
      await this.#options.pool.release(session, { cooldown: true });
    } catch {
      return record;
    }
    await this.#takeBack(record);
    return null;
  }

  /** Watches a run to its end and finishes it. */
  async #see(record: RunRecord, session: Session | null, signal: AbortSignal): Promise<void> {
    const { store, config } = this.#options;
    const files = new RunFiles(store, record.id);
    let seen = record;
    if (record.state.name !== "ended") {
      const launchedAtMs = record.state.name === "launched" ? record.state.atMs : record.preparedAtMs;
      const limits = { promptTimeoutMs: config.promptTimeoutMs, timeoutMs: config.claude.timeoutMs };
      const onPhase = (phase: Phase) => this.#report(record, phase);
      const ended = await watchRun({ record, launchedAtMs, store, files, limits, onPhase }, signal);
      if (ended === null) return;
      const screen = ended.end.kind === "finished" ? null : await this.#screen(session);
      seen = { ...record, state: { name: "ended", launchedAtMs, atMs: ended.sinceMs, end: ended.end, screen } };
      await store.save(seen);
    } else await files.newEvents();
    await finishRun({ ...this.#options, record: seen, files, session }, signal);
  }

  async #holding(task: TaskFile, run: () => Promise<void>): Promise<void> {
    const key = taskKey(task);
    this.#running.add(key);
    try {
      await run();
    } finally {
      this.#running.delete(key);
    }
  }

  /** The run never reached an agent: its file and its job wait again. */
  async #takeBack(record: RunRecord): Promise<void> {
    const { store, fetcher } = this.#options;
    await unclaim(taskOf(record));
    await fetcher.putBack(record.job);
    await store.remove(record.id);
  }

  async #reject(record: RunRecord, reason: string): Promise<void> {
    const { store, fetcher, events } = this.#options;
    const task = taskOf(record);
    const error = { code: "TASK_INVALID", message: reason } as const;
    const path = await shelveClaimed(task, "failed", { result: "rejected", finishedAt: new Date(), error });
    await fetcher.fail(record.job, new Error(`${error.code}: ${reason}`));
    await store.remove(record.id);
    events.emit({ type: "rejected", task, id: record.job, reason, path });
  }

  /** A crash between a run's close and its session's release left the tag on. */
  async #releaseLeftovers(open: readonly RunRecord[]): Promise<void> {
    const { pool, store } = this.#options;
    const ids = new Set(open.map(({ id }) => id));
    for (const session of await pool.tagged()) {
      const run = session.pane.run ?? "";
      if (!ids.has(run) && (await store.has(run))) await pool.release(session, { cooldown: false });
    }
  }

  #report(record: RunRecord, phase: Phase): void {
    if (phase.name !== "running") return;
    this.#options.events.emit({
      type: "submitted",
      task: taskOf(record),
      id: record.job,
      session: record.session,
      run: record.id,
    });
  }

  async #screen(session: Session | null): Promise<string | null> {
    return session === null ? null : await this.#options.tmux.screen(session.pane).catch(() => null);
  }

  #record(job: LocalJob, session: string): RunRecord {
    const { project, name, header, reason } = job.payload;
    return {
      id: `${job.id}-${job.start}`,
      job: job.id,
      project,
      name,
      priority: header.priority,
      reason,
      session,
      model: this.#model(header.priority),
      claudeSession: randomUUID(),
      preparedAtMs: Date.now(),
      state: { name: "prepared" },
    };
  }

  #model(priority: RunRecord["priority"]): string {
    const { models } = this.#options.config.claude;
    return priority === "critical" ? models.critical : models.default;
  }
}

function taskOf({ project, name }: RunRecord): TaskFile {
  return { project, name };
}
