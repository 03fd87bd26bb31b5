import { setTimeout as sleep } from "node:timers/promises";
import { QueueError } from "../core/errors.ts";
import type { TaskEvents } from "../core/events.ts";
import { runId } from "../core/id.ts";
import type { Service } from "../core/service.ts";
import type { TaskFile } from "../core/task.ts";
import { giveBack, hasInbox } from "../ledger/claim.ts";
import type { WorkspaceRedis } from "../queue/connection.ts";
import { Fetcher, type LocalJob } from "../queue/fetcher.ts";
import type { Heartbeat, Hosts } from "../queue/hosts.ts";
import { LOCAL_QUEUE } from "../queue/names.ts";
import { localPayload } from "../queue/payload.ts";
import { closeShelved } from "./close-shelved.ts";

/** How often the other hosts are looked at. */
const LOOK_MS = 5_000;
/** How long one host may take for another's work before somebody else may try. */
const TAKEOVER_MS = 60_000;

export interface TakeoverOptions extends WorkspaceRedis {
  /** Our own name. */
  readonly host: string;
  readonly hosts: Hosts;
  /** A host of the workspace that is silent for so long is dead. */
  readonly goneAfterMs: number;
  readonly events: TaskEvents;
}

/**
 * Gives the work of hosts that are gone back to the workspace: what they had running waits again, as the same attempt.
 * A host that was stopped in order is left alone, as its agents go on.
 */
export class Takeover implements Service {
  readonly #options: TakeoverOptions;
  #timer: NodeJS.Timeout | null = null;
  /** The last word of each host, and since when we know it, in ms of our own clock. */
  readonly #heard = new Map<string, { readonly atMs: number; readonly sinceMs: number }>();
  #lookedAtMs = 0;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.runOnce().catch(this.#options.onError), LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer ?? undefined);
    this.#timer = null;
  }

  async runOnce(): Promise<void> {
    const beats = await this.#options.hosts.list(Date.now());
    const silent = this.#silent(beats.filter((beat) => this.#isNeighbour(beat)));
    for (const { host, stopped } of silent) if (!stopped) await this.#takeOver(host);
  }

  /**
   * Those who have said nothing new for as long as we have listened. Their clocks may be wrong, and while Redis was
   * away, nobody could be heard.
   */
  #silent(beats: readonly Heartbeat[]): Heartbeat[] {
    const nowMs = performance.now();
    const { goneAfterMs } = this.#options;
    if (nowMs - this.#lookedAtMs > goneAfterMs / 2) this.#heard.clear();
    this.#lookedAtMs = nowMs;
    return beats.filter(({ host, atMs }) => {
      const last = this.#heard.get(host);
      if (last?.atMs === atMs) return nowMs - last.sinceMs > goneAfterMs;
      this.#heard.set(host, { atMs, sinceMs: nowMs });
      return false;
    });
  }

  /**
   * The same at once for a host that somebody knows to be dead. Returns the tasks that wait again.
   * @throws {QueueError} HOST_UNKNOWN, HOST_BUSY
   */
  async adopt(host: string): Promise<readonly TaskFile[]> {
    const known = (await this.#options.hosts.list(Date.now())).filter((beat) => this.#isNeighbour(beat));
    if (!known.some((beat) => beat.host === host)) {
      throw new QueueError(`no other host of this workspace is called ${host}`, {
        code: "HOST_UNKNOWN",
        hint: "`ccl-queue status --all` lists the hosts",
      });
    }
    const tasks = await this.#takeOver(host);
    if (tasks !== null) return tasks;
    throw new QueueError(`another host takes over ${host} right now`, { code: "HOST_BUSY", hint: "look at the tasks" });
  }

  #isNeighbour({ workspace, host }: Heartbeat): boolean {
    return workspace === this.#options.workspace && host !== this.#options.host;
  }

  /** null when somebody else does it. Repeating it after a crash is harmless. */
  async #takeOver(host: string): Promise<readonly TaskFile[] | null> {
    const { hosts, workspace } = this.#options;
    if (!(await hosts.beginTakeover({ workspace, host }, TAKEOVER_MS))) return null;
    const { tasks, isAll } = await this.#giveBackJobs(host);
    // What lies in a folder that we cannot see is left to somebody who can.
    if (isAll) await hosts.forget({ workspace, host });
    return tasks;
  }

  /** Bears the host's token, by which its jobs are ours to put back. */
  async #giveBackJobs(host: string): Promise<{ tasks: TaskFile[]; isAll: boolean }> {
    const fetcher = new Fetcher({ ...this.#options, queue: LOCAL_QUEUE, payload: localPayload, token: host });
    await fetcher.start();
    try {
      const jobs = await fetcher.takeBack();
      const visible = await Promise.all(jobs.map(async (job) => ((await hasInbox(job.payload)) ? job : null)));
      const tasks: TaskFile[] = [];
      let isAll = !visible.includes(null);
      for (const job of visible.filter((one) => one !== null)) {
        const task = { project: job.payload.project, name: job.payload.name };
        const result = await giveBackJob(fetcher, task, job);
        if (result === "left") isAll = false;
        if (result !== "waits") continue;
        tasks.push(task);
        this.#options.events.emit({ type: "recovered", task, id: job.id, from: host });
      }
      return { tasks, isAll };
    } finally {
      await Promise.race([fetcher.stop(), sleep(LOOK_MS, undefined, { ref: false })]);
    }
  }
}

/**
 * The file first: with its job alone, it would wait for a claim that nobody gives back. A host that could finalise a
 * task, and not tell, has done it. left = its run is at the file in this moment.
 */
async function giveBackJob(
  fetcher: Fetcher<LocalJob["payload"]>,
  task: TaskFile,
  { id, start, payload }: LocalJob,
): Promise<"waits" | "over" | "left"> {
  const run = runId(id, payload.earlierRuns + start);
  const given = await giveBack(task, run);
  if (given === "ending") return "left";
  if (given === "none" && (await closeShelved(fetcher, { id, task, run })) !== null) return "over";
  await fetcher.putBack(id);
  return "waits";
}
