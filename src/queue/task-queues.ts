import { isDeepStrictEqual } from "node:util";
import { type JobsOptions, Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { newTaskId, taskKey } from "../core/id.ts";
import type { Service } from "../core/service.ts";
import { bullPriority, type TaskFile, taskLabel } from "../core/task.ts";
import { connect, type RedisAddress } from "./connection.ts";
import { INBOX_QUEUE, keyPrefix, LOCAL_QUEUE } from "./names.ts";
import { type LocalPayload, readTaskPayload, type TaskPayload } from "./payload.ts";

/** What became of a task that was handed in; busy = its name still runs, so it has to be handed in again later. */
export interface Enqueued {
  readonly id: string;
  readonly state: "new" | "known" | "updated" | "busy";
}

export interface TaskQueuesOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  /** How long finished jobs are kept. */
  readonly retentionMs: number;
  readonly onError: (error: Error) => void;
}

/** The queues as the rest of the program sees them: tasks go in, are routed, changed or taken out. */
export class TaskQueues implements Service {
  readonly #options: TaskQueuesOptions;
  readonly #redis: Redis;
  readonly #inbox: Queue;
  readonly #local: Queue;
  #router: Worker | null = null;
  #stopped = false;

  constructor(options: TaskQueuesOptions) {
    this.#options = options;
    this.#redis = connect(options.address);
    this.#redis.on("error", options.onError);
    const shared = { connection: this.#redis, prefix: keyPrefix(options.workspace) };
    this.#inbox = new Queue(INBOX_QUEUE, shared);
    this.#local = new Queue(LOCAL_QUEUE, shared);
    for (const queue of [this.#inbox, this.#local]) queue.on("error", options.onError);
  }

  async start(): Promise<void> {
    await Promise.all([this.#inbox.waitUntilReady(), this.#local.waitUntilReady()]);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.stopRouting();
    await Promise.all([this.#inbox.close(), this.#local.close()]);
    this.#redis.disconnect();
  }

  /**
   * Hands in tasks, in the order in which they are to run within a priority. A file has at most one live job:
   * handing it in again changes that one when the file changed, and otherwise does nothing.
   */
  async enqueue(payloads: readonly TaskPayload[]): Promise<Enqueued[]> {
    const live = await Promise.all(payloads.map((payload) => this.#local.getDeduplicationJobId(taskKey(payload))));
    const fresh = payloads.map((payload) => ({ payload, id: newTaskId() })).filter((_, index) => live[index] === null);
    const added = await this.#inbox.addBulk(fresh.map(({ payload, id }) => this.#job(id, payload)));
    const ids = new Map(
      added.map((job, index) => [fresh[index]?.payload, { id: job.id ?? "", fresh: fresh[index]?.id === job.id }]),
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

  /** The tasks among these that no unfinished job stands for. */
  async withoutJob(tasks: readonly TaskFile[]): Promise<TaskFile[]> {
    const ids = await Promise.all(tasks.map((task) => this.#liveId(taskKey(task))));
    return tasks.filter((_, index) => ids[index] === null);
  }

  /** Takes a waiting task out of the queue. Returns its id, or null when none was waiting. */
  async cancel(task: TaskFile): Promise<string | null> {
    const key = taskKey(task);
    for (const queue of [this.#inbox, this.#local]) {
      const id = await queue.getDeduplicationJobId(key);
      if (id !== null && (await queue.remove(id)) > 0) return id;
    }
    return null;
  }

  /** Moves a task on to the local pool. Repeating it is harmless. */
  async toLocal(id: string, payload: LocalPayload): Promise<void> {
    await this.#local.add(taskLabel(payload), payload, this.#jobOptions(id, payload));
  }

  /** Starts the worker that hands every task in the inbox queue to `route`, one at a time so that their order stays. */
  startRouting(route: (id: string, payload: TaskPayload) => Promise<void>): void {
    this.#router = new Worker(INBOX_QUEUE, async ({ id = "", data }) => await route(id, readTaskPayload(id, data)), {
      connection: this.#redis,
      prefix: keyPrefix(this.#options.workspace),
      concurrency: 1,
    });
    this.#router.on("error", this.#options.onError);
  }

  /** Ends the routing worker once the task at hand has moved on. */
  async stopRouting(): Promise<void> {
    await this.#router?.close();
    this.#router = null;
  }

  /** A task is in the local queue before it leaves the inbox queue, so it is never missed between them. */
  async #liveId(key: string): Promise<string | null> {
    const [inbox, local] = await Promise.all([
      this.#inbox.getDeduplicationJobId(key),
      this.#local.getDeduplicationJobId(key),
    ]);
    return local ?? inbox;
  }

  async #update(id: string, payload: TaskPayload): Promise<Enqueued["state"]> {
    const job = (await this.#local.getJob(id)) ?? (await this.#inbox.getJob(id));
    if (job === undefined) return "busy";
    const known = readTaskPayload(id, job.data);
    if (known.fingerprint === payload.fingerprint) return "known";
    if (await job.isActive()) return "busy";
    if (isSamePlace(known, payload)) {
      await job.updateData({ ...job.data, ...payload });
      return "updated";
    }
    // The task starts over under its id.
    const queue = job.queueName === LOCAL_QUEUE ? this.#local : this.#inbox;
    if ((await queue.remove(id)) === 0) return "busy";
    await this.#inbox.addBulk([this.#job(id, payload)]);
    return "updated";
  }

  #job(id: string, payload: TaskPayload) {
    return { name: taskLabel(payload), data: payload, opts: this.#jobOptions(id, payload) };
  }

  #jobOptions(id: string, payload: TaskPayload): JobsOptions {
    const age = Math.round(this.#options.retentionMs / 1_000);
    return {
      jobId: id,
      priority: bullPriority(payload.header.priority),
      deduplication: { id: taskKey(payload) },
      removeOnComplete: { age },
      removeOnFail: { age },
    };
  }
}

/** Whether an edit leaves a task's place in the queue and its route as they are. */
function isSamePlace({ header: before }: TaskPayload, { header: after }: TaskPayload): boolean {
  const { title: _title, tags: _tags, timeoutMs: _timeoutMs, ...deciding } = after;
  return isDeepStrictEqual({ ...before, ...deciding }, before);
}
