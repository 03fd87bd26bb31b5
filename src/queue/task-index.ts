import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import type { TaskState } from "../core/task.ts";
import { connect, type RedisAddress } from "./connection.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, keyPrefix, LOCAL_QUEUE } from "./names.ts";
import { JOB_FIELDS, type TaskRow, toRow } from "./task-row.ts";

type QueueName = TaskRow["queue"];
type JobType = "wait" | "prioritized" | "active" | "delayed" | "completed" | "failed";

interface Place {
  readonly queue: QueueName;
  readonly type: JobType;
}

/**
 * Where the tasks of each state are kept, in the order in which a task passes through: one that moves on while we read
 * is found in the later place, too.
 */
const PLACES: Readonly<Record<TaskState, readonly Place[]>> = {
  waiting: places({
    inbox: ["wait", "prioritized", "active", "delayed"],
    delegated: ["wait", "prioritized"],
    local: ["wait", "prioritized"],
  }),
  delayed: places({ inbox: [], delegated: ["delayed"], local: ["delayed"] }),
  delegated: places({ inbox: [], delegated: ["active"], local: [] }),
  running: places({ inbox: [], delegated: [], local: ["active"] }),
  done: places({ inbox: [], delegated: ["completed"], local: ["completed"] }),
  cancelled: places({ inbox: [], delegated: ["completed"], local: ["completed"] }),
  failed: places({ inbox: ["failed"], delegated: ["failed"], local: ["failed"] }),
};
const ALL_STATES = ["waiting", "delayed", "delegated", "running", "done", "cancelled", "failed"] as const;
const OVER: readonly JobType[] = ["completed", "failed"];
/** The newest finished jobs of a queue and a type that are ever listed. */
const MAX_FINISHED = 10_000;

export interface TaskIndexOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  readonly onError: (error: Error) => void;
}

/** Every task that the queue knows of, the finished ones as long as their jobs are kept. */
export class TaskIndex implements Service {
  readonly #redis: Redis;
  readonly #queues: Readonly<Record<QueueName, Queue>>;

  constructor({ address, workspace, onError }: TaskIndexOptions) {
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    const open = (name: string) => {
      const queue = new Queue(name, { connection: this.#redis, prefix: keyPrefix(workspace) });
      queue.on("error", onError);
      return queue;
    };
    this.#queues = { inbox: open(INBOX_QUEUE), delegated: open(DELEGATED_QUEUE), local: open(LOCAL_QUEUE) };
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
    this.#redis.disconnect();
  }

  /** @throws {QueueError} REDIS_UNREACHABLE when Redis does not answer within so long */
  async ping(timeoutMs: number): Promise<void> {
    const answer = await Promise.race([this.#redis.ping(), sleep(timeoutMs, null, { ref: false })]);
    if (answer !== null) return;
    throw new QueueError("Redis does not answer", {
      code: "REDIS_UNREACHABLE",
      hint: "agents go on, and the queue catches up once it is back",
    });
  }

  /** All tasks in these states: those that wait in the order in which they will run, the finished ones newest first. */
  async list(states: readonly TaskState[]): Promise<TaskRow[]> {
    const rows = await this.#rows(states, MAX_FINISHED, "");
    return rows.filter(({ state }) => states.includes(state));
  }

  /** The first of them alone, at most so many of each place, without a look at the others. */
  async first(states: readonly TaskState[], limit: number): Promise<{ total: number; rows: TaskRow[] }> {
    const [rows, total] = await Promise.all([this.#rows(states, limit, "", limit), this.#count(states)]);
    return { total, rows: rows.filter(({ state }) => states.includes(state)).slice(0, limit) };
  }

  /** The tasks whose id begins so. */
  async find(beginning: string): Promise<TaskRow[]> {
    return await this.#rows(ALL_STATES, MAX_FINISHED, beginning);
  }

  async #rows(states: readonly TaskState[], finished: number, beginning: string, others = 0): Promise<TaskRow[]> {
    const found = new Map<string, Place>();
    for (const place of placesOf(states)) {
      const isOver = OVER.includes(place.type);
      const end = (isOver ? finished : others) - 1;
      const ids: string[] = await this.#queues[place.queue].getRanges([place.type], 0, end, !isOver);
      for (const id of ids) if (id.startsWith(beginning)) found.set(id, place);
    }
    return (await this.#read([...found])).sort(byState);
  }

  async #count(states: readonly TaskState[]): Promise<number> {
    const counts = await Promise.all(
      placesOf(states).map(({ queue, type }) =>
        this.#queues[queue].getJobCountByTypes(type === "wait" ? "waiting" : type),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #read(found: readonly (readonly [string, Place])[]): Promise<TaskRow[]> {
    const pipeline = this.#redis.pipeline();
    for (const [id, { queue }] of found) pipeline.hmget(this.#queues[queue].toKey(id), ...JOB_FIELDS);
    const answers = (await pipeline.exec()) ?? [];
    return found.flatMap(([id, { queue, type }], index) => toRow(id, queue, type, answers[index]?.[1]) ?? []);
  }
}

function places(types: Readonly<Record<QueueName, readonly JobType[]>>): Place[] {
  const queues = ["inbox", "delegated", "local"] as const;
  return queues.flatMap((queue) => types[queue].map((type) => ({ queue, type })));
}

/** Each place once, in order. */
function placesOf(states: readonly TaskState[]): Place[] {
  const wanted = ALL_STATES.filter((state) => states.includes(state)).flatMap((state) => PLACES[state]);
  return [...new Map(wanted.map((place) => [`${place.queue} ${place.type}`, place])).values()];
}

/** What goes on, what waits by its urgency, then what is over, the last first. */
const SHOWN = ["running", "delegated", "waiting", "delayed", "over"] as const;

function byState(a: TaskRow, b: TaskRow): number {
  const rank = ({ finishedAtMs, state }: TaskRow) =>
    SHOWN.findIndex((shown) => shown === (finishedAtMs === null ? state : "over"));
  const levels = a.state === "waiting" && b.state === "waiting" ? a.priority - b.priority : 0;
  return rank(a) - rank(b) || (b.finishedAtMs ?? 0) - (a.finishedAtMs ?? 0) || levels;
}
