import { type Job, type JobsOptions, Queue } from "bullmq";
import { type EarlierRuns, taskKey } from "../core/id.ts";
import type { Service } from "../core/service.ts";
import { type TaskFile, taskLabel } from "../core/task.ts";
import type { Work } from "../core/work.ts";
import { type Backlog, Backlogs } from "./backlog.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { jobOptions } from "./job-options.ts";
import { areKnown, type SeenFile } from "./known-files.ts";
import { findJob, isWaiting, liveIds, liveIdsBeginning, workOn } from "./live-jobs.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, keyPrefix, LOCAL_QUEUE } from "./names.ts";
import {
  type DelegatedPayload,
  isSamePlace,
  type LocalPayload,
  readPayload,
  type TaskPayload,
  taskPayload,
} from "./payload.ts";
import { type Entry, type NamedTask, nameTasks } from "./task-ids.ts";

/** What became of a task that was handed in; busy = its name still runs, so it has to be handed in again later. */
export interface Enqueued {
  readonly id: string;
  readonly state: "new" | "known" | "updated" | "busy";
}

export interface TaskQueuesOptions extends WorkspaceRedis {
  /** How long finished jobs are kept. */
  readonly retentionMs: number;
}

/** How many finished jobs are removed at once. */
const PRUNED = 1_000;
/** Longer than a run takes to hold its job. */
const PUT_OFF_MS = 30 * 24 * 60 * 60_000;

/** The queues as the rest of the program sees them: tasks go in, are routed, changed or taken out. */
export class TaskQueues implements Service {
  readonly #options: TaskQueuesOptions;
  readonly #redis: RedisClient;
  readonly #inbox: Queue;
  readonly #local: Queue;
  readonly #delegated: Queue;
  /** The last first: a task is in the next queue before it leaves the one before, so it is never missed between them. */
  readonly #all: readonly Queue[];
  readonly #backlogs: Backlogs;
  #stopped = false;

  constructor(options: TaskQueuesOptions) {
    this.#options = options;
    this.#redis = connect(options.address);
    this.#redis.on("error", options.onError);
    const shared = { connection: this.#redis, prefix: keyPrefix(options.workspace) };
    this.#inbox = new Queue(INBOX_QUEUE, shared);
    this.#local = new Queue(LOCAL_QUEUE, shared);
    this.#delegated = new Queue(DELEGATED_QUEUE, shared);
    this.#all = [this.#local, this.#delegated, this.#inbox];
    for (const queue of this.#all) queue.on("error", options.onError);
    this.#backlogs = new Backlogs({ inbox: this.#inbox, local: this.#local, delegated: this.#delegated }, this.#redis);
  }

  async start(): Promise<void> {
    await Promise.all(this.#all.map((queue) => queue.waitUntilReady()));
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await Promise.all(this.#all.map((queue) => queue.close()));
    this.#redis.disconnect();
  }

  /**
   * Hands in tasks, in the order in which they are to run within a priority. A file has at most one live job:
   * handing it in again changes that one when the file changed, and otherwise does nothing.
   */
  async enqueue(entries: readonly Entry[]): Promise<Enqueued[]> {
    const payloads = entries.map(({ payload }) => payload);
    const live = await liveIds(payloads.map(taskKey), [this.#local, this.#delegated], this.#redis);
    const news = entries.filter((_, index) => live[index] === null);
    const fresh = await nameTasks(news, this.#inbox, [this.#local, this.#delegated]);
    const added = await this.#inbox.addBulk(fresh.map((entry) => this.#job(entry)));
    const ids = new Map(
      added.map((job, index) => [news[index]?.payload, { id: job.id ?? "", fresh: fresh[index]?.id === job.id }]),
    );
    return await Promise.all(
      payloads.map(async (payload, index): Promise<Enqueued> => {
        const inbox = ids.get(payload);
        if (inbox?.fresh) return { id: inbox.id, state: "new" };
        const id = live[index] ?? inbox?.id ?? "";
        return { id, state: await this.#update(id, payload) };
      }),
    );
  }

  /** Whether a live job stands for each of these files as it is: to hand it in again would change nothing. */
  async areKnown(files: readonly SeenFile[]): Promise<boolean[]> {
    return await areKnown(files, this.#all, this.#redis);
  }

  /** The tasks among these that no unfinished job stands for. */
  async withoutJob(tasks: readonly TaskFile[]): Promise<TaskFile[]> {
    const ids = await this.#liveIds(tasks);
    return tasks.filter((_, index) => ids[index] === null);
  }

  /** The tasks among these that no unfinished job for secutools stands for. */
  async notOut(tasks: readonly TaskFile[]): Promise<TaskFile[]> {
    const ids = await liveIds(tasks.map(taskKey), [this.#delegated], this.#redis);
    return tasks.filter((_, index) => ids[index] === null);
  }

  /** Whether anybody works on each of these tasks, as far as Redis knows. */
  async workOn(tasks: readonly TaskFile[]): Promise<Work[]> {
    const ids = await this.#liveIds(tasks);
    return await Promise.all(ids.map(async (id) => await workOn(id, this.#all)));
  }

  /** Takes a waiting task out of the queue. Returns its id, or null when none was waiting. */
  async cancel(task: TaskFile): Promise<string | null> {
    const key = taskKey(task);
    for (const queue of this.#all.toReversed()) {
      const id = await queue.getDeduplicationJobId(key);
      if (id !== null && (await isWaiting(queue, id)) && (await queue.remove(id)) > 0) return id;
    }
    return null;
  }

  /** Moves tasks on to the local pool, in this order. Repeating it is harmless. */
  async toLocal(tasks: readonly NamedTask<LocalPayload>[]): Promise<void> {
    await Promise.all(tasks.map((task) => this.#removeEarlier(task)));
    await this.#local.addBulk(tasks.map((task) => this.#job(task)));
  }

  /** Moves tasks on to secutools, in this order. Repeating it is harmless. */
  async toDelegated(tasks: readonly NamedTask<DelegatedPayload>[]): Promise<void> {
    await Promise.all(tasks.map((task) => this.#removeEarlier(task)));
    // One that came back from there is with the local pool already.
    const local: (Job | undefined)[] = await Promise.all(tasks.map(({ id }) => this.#local.getJob(id)));
    const left = tasks.filter((_, index) => local[index] === undefined);
    await this.#delegated.addBulk(left.map((task) => this.#job(task)));
  }

  /**
   * Makes the job anew that a delegated task has lost, with what became of it before; one that is out, and whose file
   * its project has taken along to another name, follows it. False when there is nothing to do.
   */
  async restoreDelegated(id: string, payload: DelegatedPayload): Promise<boolean> {
    const { project, name } = payload;
    const known: Job | undefined = await this.#delegated.getJob(id);
    const isLive = known !== undefined && known.finishedOn === undefined;
    if (isLive && readPayload(taskPayload, id, known.data).project === project) return false;
    if (isLive) {
      await known.updateData({ ...known.data, project, name });
      return true;
    }
    // One of this id that is over would keep the new one out, as would one from before it went out.
    await this.#delegated.remove(id);
    if (await isWaiting(this.#local, id)) await this.#local.remove(id);
    await this.toDelegated([{ id, payload }]);
    return true;
  }

  /** The same for a task that runs, put off until its run holds the job: nobody else is to fetch it. */
  async restoreRunning(id: string, payload: LocalPayload): Promise<void> {
    await this.#removeEarlier({ id, payload });
    await this.#local.add(taskLabel(payload), payload, { ...this.#jobOptions(id, payload), delay: PUT_OFF_MS });
  }

  /** The tasks that are not over and whose job's id begins so. */
  async findLive(beginning: string): Promise<{ id: string; task: TaskFile }[]> {
    const found = await Promise.all(this.#all.map((queue) => liveIdsBeginning(queue, beginning)));
    const ids = [...new Set(found.flat())];
    return await Promise.all(
      ids.map(async (id) => {
        const { job } = await findJob(id, this.#all);
        const { project, name } = readPayload(taskPayload, id, job?.data);
        return { id, task: { project, name } };
      }),
    );
  }

  /** The id of a task that is not over and how many runs it has had, null where nothing is known of it. */
  async runsOf(task: TaskFile): Promise<EarlierRuns | null> {
    const [id = null] = await this.#liveIds([task]);
    const { job } = id === null ? { job: undefined } : await findJob(id, this.#all);
    if (id === null || job === undefined) return null;
    return { id, runs: readPayload(taskPayload, id, job.data).earlierRuns + job.attemptsStarted };
  }

  /** What stands in each queue. */
  async backlogs(): Promise<Record<"inbox" | "local" | "delegated", Backlog>> {
    return await this.#backlogs.read();
  }

  /** Removes the finished jobs that were kept long enough: BullMQ does so only when others finish. */
  async prune(): Promise<void> {
    for (const queue of this.#all)
      for (const type of ["completed", "failed"] as const) await queue.clean(this.#options.retentionMs, PRUNED, type);
  }

  async #liveIds(tasks: readonly TaskFile[]): Promise<(string | null)[]> {
    return await liveIds(tasks.map(taskKey), this.#all, this.#redis);
  }

  async #update(id: string, payload: TaskPayload): Promise<Enqueued["state"]> {
    const { queue, job } = await findJob(id, this.#all);
    if (job === undefined) return "busy";
    const known = readPayload(taskPayload, id, job.data);
    if (known.fingerprint === payload.fingerprint) return "known";
    // It runs, or has just ended.
    if (!(await isWaiting(queue, id))) return "busy";
    if (isSamePlace(known, payload)) {
      await job.updateData({ ...job.data, ...payload, earlierRuns: known.earlierRuns });
      return "updated";
    }
    // The task starts over under its id: its earlier passage through the inbox queue would keep the new one out.
    if ((await queue.remove(id)) === 0) return "busy";
    await this.#inbox.remove(id);
    const earlierRuns = known.earlierRuns + job.attemptsStarted;
    await this.#inbox.addBulk([this.#job({ id, payload: { ...payload, earlierRuns } })]);
    return "updated";
  }

  /** What is left of a task from before it was put back would keep it out. */
  async #removeEarlier({ id, payload: { earlierRuns } }: NamedTask): Promise<void> {
    if (earlierRuns === 0) return;
    for (const queue of [this.#local, this.#delegated]) {
      const job: Job | undefined = await queue.getJob(id);
      if (job?.finishedOn === undefined) continue;
      if (readPayload(taskPayload, id, job.data).earlierRuns < earlierRuns) await queue.remove(id);
    }
  }

  #job({ id, payload }: NamedTask) {
    return { name: taskLabel(payload), data: payload, opts: this.#jobOptions(id, payload) };
  }

  #jobOptions(id: string, payload: TaskPayload): JobsOptions {
    return jobOptions(id, payload, this.#options.retentionMs);
  }
}
