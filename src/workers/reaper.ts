import { QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { readMarker } from "../ledger/marker.ts";
import { TasksOut } from "../ledger/tasks-out.ts";
import type { WorkspaceRedis } from "../queue/connection.ts";
import type { DelegatedJob } from "../queue/fetcher.ts";
import { REAPER_QUEUE } from "../queue/names.ts";
import { Ticks } from "../queue/ticks.ts";
import { AskTimes } from "./delegation/ask-times.ts";
import { askAfter, bringHome, type RemoteTask } from "./delegation/bring-home.ts";
import { type DelegationParts, taskOf } from "./delegation/parts.ts";
import { SecutoolsError } from "./secutools/error.ts";

export interface ReaperOptions extends WorkspaceRedis {
  readonly parts: DelegationParts;
  /** Told with each tick of the jobs that are being submitted, as far as Redis knows. */
  readonly onUnsent: (jobs: readonly DelegatedJob[]) => void;
}

/** Brings finished delegated tasks home: a repeated job that asks the platform about those that are due. */
export class Reaper implements Service {
  readonly #parts: DelegationParts;
  readonly #onUnsent: ReaperOptions["onUnsent"];
  readonly #times: AskTimes;
  readonly #ticks: Ticks;
  /** By job, the remote one that its marker was found to name. */
  readonly #marked = new Map<string, string>();
  #early: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor({ parts, onUnsent, ...queue }: ReaperOptions) {
    const { pollIntervalMs } = parts.settings;
    this.#parts = parts;
    this.#onUnsent = onUnsent;
    this.#times = new AskTimes(pollIntervalMs);
    this.#ticks = new Ticks({
      ...queue,
      queue: REAPER_QUEUE,
      everyMs: pollIntervalMs,
      tick: (signal) => this.runOnce(signal),
    });
    parts.events.on(({ type }) => type === "delegated" && this.#expect(this.#times.shortestMs));
  }

  async start(): Promise<void> {
    await this.#ticks.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#early ?? undefined);
    await this.#ticks.stop();
  }

  /** Has every delegated task looked at soon: something happened to the files of some. */
  wake(): void {
    this.#expect(0);
  }

  /** One tick. It ends early when the platform is down: then nothing is asked in vain, and nothing fails. */
  async runOnce(signal: AbortSignal): Promise<void> {
    const { client, fetcher, counters, now, onError } = this.#parts;
    await Promise.all([counters.add("ticks"), counters.note("ticked_at_ms", now())]);
    const active = await fetcher.active();
    this.#onUnsent(active.filter(({ payload }) => payload.remote === null));
    const out = active.flatMap((job): RemoteTask[] =>
      job.payload.remote === null ? [] : [{ job, remote: job.payload.remote }],
    );
    this.#forgetAllBut(new Set(out.map(({ job }) => job.id)));
    if (client === null && out.length > 0) onError(notConfigured(out.length));
    const isUp = await this.#lookAfter(out, signal);
    if (isUp && client !== null) this.#expectNext(out);
  }

  /** False when the platform is down: as many answers in a row were missing as are asked for at once. */
  async #lookAfter(out: readonly RemoteTask[], signal: AbortSignal): Promise<boolean> {
    const { concurrency } = this.#parts.settings;
    const tasksOut = new TasksOut();
    const left = out.values();
    let unanswered = 0;
    const askInTurn = async () => {
      for (const one of left) {
        signal.throwIfAborted();
        if (unanswered >= concurrency) return;
        const isAsLeft = await tasksOut.has(taskOf(one.job));
        if (isAsLeft && !this.#isDue(one)) continue;
        unanswered = (await this.#lookAfterOne(one, isAsLeft, signal)) ? 0 : unanswered + 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, askInTurn));
    return unanswered < concurrency;
  }

  #isDue({ job, remote }: RemoteTask): boolean {
    return this.#times.leftMs(job.id, remote.submittedAtMs, this.#parts.now()) === 0;
  }

  /** False when the platform did not answer. */
  async #lookAfterOne(out: RemoteTask, isAsLeft: boolean, signal: AbortSignal): Promise<boolean> {
    const { now, onError } = this.#parts;
    this.#times.asked(out.job.id, now());
    try {
      const mayAsk = isAsLeft && (await this.#isMarked(out));
      const end = mayAsk ? await askAfter(this.#parts, out, signal) : null;
      if (!mayAsk || end !== null) await bringHome(this.#parts, out, end, signal);
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      onError(error);
      if (error instanceof SecutoolsError) this.#times.pause(error.afterMs, now());
      const isUnanswered = error instanceof QueueError && error.code === "SECUTOOLS_UNREACHABLE";
      if (isUnanswered) this.#times.unanswered(out.job.id);
      return !isUnanswered;
    }
  }

  /** Whether its marker, where there is one, is this job's. It holds the whole task, so it is read once. */
  async #isMarked({ job, remote }: RemoteTask): Promise<boolean> {
    if (this.#marked.get(job.id) === remote.id) return true;
    const marker = await readMarker(taskOf(job));
    if (marker?.job !== job.id || marker.remoteId !== remote.id) return false;
    this.#marked.set(job.id, remote.id);
    return true;
  }

  #forgetAllBut(ids: ReadonlySet<string>): void {
    this.#times.keep(ids);
    for (const id of this.#marked.keys()) if (!ids.has(id)) this.#marked.delete(id);
  }

  /** A tick of its own for whoever is due before the next regular one. */
  #expectNext(out: readonly RemoteTask[]): void {
    const nowMs = this.#parts.now();
    const waits = out.map(({ job, remote }) => this.#times.leftMs(job.id, remote.submittedAtMs, nowMs));
    const soonestMs = Math.min(...waits);
    if (soonestMs < this.#parts.settings.pollIntervalMs) this.#expect(Math.max(soonestMs, this.#times.shortestMs));
  }

  #expect(delayMs: number): void {
    if (this.#stopped || (this.#early !== null && delayMs > 0)) return;
    clearTimeout(this.#early ?? undefined);
    this.#early = setTimeout(() => {
      this.#early = null;
      this.#ticks.now().catch(this.#parts.onError);
    }, delayMs);
  }
}

function notConfigured(count: number): QueueError {
  return new QueueError(`${count} tasks are with secutools, and nobody may ask about them`, {
    code: "SECUTOOLS_NOT_CONFIGURED",
    hint: "set SECUTOOLS_API_KEY and secutools.url again, or remove their .delegated markers",
  });
}
