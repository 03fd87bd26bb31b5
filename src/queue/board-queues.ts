import { Queue } from "bullmq";
import { messageOf } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, keyPrefix, LOCAL_QUEUE, REAPER_QUEUE } from "./names.ts";
import { NOTIFICATIONS_QUEUE } from "./notifications.ts";

const NAMES = [INBOX_QUEUE, LOCAL_QUEUE, DELEGATED_QUEUE, REAPER_QUEUE, NOTIFICATIONS_QUEUE] as const;
/** What BullMQ says of a job that somebody else moved on. */
const MOVED_ON = /is not in the (?:failed|delayed) state|^Missing key for job/;

/** A workspace's queues, for people who look at them: nothing is opened before the first look. */
export class BoardQueues implements Service {
  readonly #options: WorkspaceRedis;
  #redis: RedisClient | null = null;
  #queues: readonly BoardQueue[] | null = null;
  #stopped = false;

  constructor(options: WorkspaceRedis) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all((this.#queues ?? []).map(({ queue }) => queue.close()));
    this.#queues = null;
    this.#redis?.disconnect();
    this.#redis = null;
  }

  /** All queues, in the order in which a task passes through them. */
  open(): readonly BoardQueue[] {
    if (this.#stopped) throw new Error("the queues are closed: the daemon stops");
    this.#queues ??= this.#connect();
    return this.#queues;
  }

  #connect(): BoardQueue[] {
    const { address, workspace, onError } = this.#options;
    const redis = connect(address);
    redis.on("error", onError);
    this.#redis = redis;
    return NAMES.map((name) => {
      // To look at a queue writes nothing.
      const queue = new Queue(name, { connection: redis, prefix: keyPrefix(workspace), skipMetasUpdate: true });
      queue.on("error", onError);
      return new BoardQueue(name, queue);
    });
  }
}

/** One queue, and the little that people may do to its jobs. */
export class BoardQueue {
  readonly name: (typeof NAMES)[number];
  readonly queue: Queue;

  constructor(name: (typeof NAMES)[number], queue: Queue) {
    this.name = name;
    this.queue = queue;
  }

  /** The ids of the jobs that failed, the first one first. */
  async failed(): Promise<string[]> {
    return await this.queue.getRanges(["failed"], 0, -1, true);
  }

  /** What people call a job; null when it is gone. */
  async nameOf(id: string): Promise<string | null> {
    return (await this.queue.getJob(id))?.name ?? null;
  }

  /** Has a failed job's work done once more, with fresh attempts. False when it has not failed, or is gone. */
  async again(id: string): Promise<boolean> {
    const job = await this.queue.getJob(id);
    return job !== undefined && (await unlessMovedOn(job.retry("failed", { resetAttemptsMade: true })));
  }

  /** Lets a delayed job wait for nothing but its turn. False when it is not delayed, or is gone. */
  async promote(id: string): Promise<boolean> {
    const job = await this.queue.getJob(id);
    return job !== undefined && (await unlessMovedOn(job.promote()));
  }

  async promoteAll(): Promise<void> {
    await this.queue.promoteJobs();
  }

  /** Ends a pause that somebody made in Redis. */
  async resume(): Promise<void> {
    await this.queue.resume();
  }
}

async function unlessMovedOn(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (MOVED_ON.test(messageOf(error))) return false;
    throw error;
  }
}
