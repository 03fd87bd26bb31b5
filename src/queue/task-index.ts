import { basename } from "node:path";
import { Queue } from "bullmq";
import type { ChainableCommander } from "ioredis";
import type { Service } from "../core/service.ts";
import { TASK_STATES, type TaskState } from "../core/task.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, keyPrefix, LOCAL_QUEUE } from "./names.ts";
import { JOB_FIELDS, type TaskRow, toRow } from "./task-row.ts";

type QueueName = TaskRow["queue"];
type JobType = "wait" | "prioritized" | "active" | "delayed" | "completed" | "failed";

interface Place {
  readonly queue: QueueName;
  readonly type: JobType;
}

/** A task's job, found in a place. */
interface Entry extends Place {
  readonly id: string;
  readonly score: number;
}

/** Which tasks: those of a project, by its directory's own name, and those in a queue. */
export interface Wanted {
  readonly project?: string | undefined;
  readonly queue?: QueueName | undefined;
}

export interface Page {
  readonly total: number;
  readonly rows: TaskRow[];
}

/** In the order in which a task passes through them: it is in the next before it leaves the one before. */
const QUEUES: readonly QueueName[] = ["inbox", "delegated", "local"];
/** Where the tasks of each state are kept. */
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
const OVER: readonly JobType[] = ["completed", "failed"];
/** What BullMQ keeps as lists; the others are sorted by a score: urgency or time. */
const LISTS: readonly JobType[] = ["wait", "active"];
/** The newest finished jobs of a queue and a type that are ever listed. */
const MAX_FINISHED = 10_000;

export interface TaskIndexOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  readonly onError: (error: Error) => void;
}

/** Every task that the queue knows of, the finished ones as long as their jobs are kept. */
export class TaskIndex implements Service {
  readonly #redis: RedisClient;
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

  /** All tasks in these states: what goes on, what waits in the order in which it will run, the finished newest first. */
  async list(states: readonly TaskState[]): Promise<TaskRow[]> {
    return onlyOf(states, await this.#read(await this.#entries(states)));
  }

  /** A part of that list, without a look at the rest but for what is asked of all. */
  async page(states: readonly TaskState[], offset: number, limit: number, wanted: Wanted = {}): Promise<Page> {
    const entries = await this.#wanted(await this.#entries(states), wanted);
    // A cancelled task's job is kept among those that are done.
    if (states.includes("done") !== states.includes("cancelled")) {
      const rows = onlyOf(states, await this.#read(entries));
      return { total: rows.length, rows: rows.slice(offset, offset + limit) };
    }
    return { total: entries.length, rows: await this.#read(entries.slice(offset, offset + limit)) };
  }

  async #wanted(entries: readonly Entry[], { project, queue }: Wanted): Promise<readonly Entry[]> {
    const there = queue === undefined ? entries : entries.filter((entry) => entry.queue === queue);
    if (project === undefined) return there;
    const labels = await this.#fields(there, ["name"]);
    return there.filter((_, index) => String(labels[index]?.[0]).startsWith(`${project}/`));
  }

  /** The first of them, at most so many of each place; the total is counted, not read. */
  async first(states: readonly TaskState[], limit: number): Promise<Page> {
    const { entries, total } = await this.#look(states, limit);
    return { total, rows: onlyOf(states, await this.#read(entries)).slice(0, limit) };
  }

  /** The tasks whose id begins so. */
  async find(beginning: string): Promise<TaskRow[]> {
    return await this.#read((await this.#entries(TASK_STATES)).filter(({ id }) => id.startsWith(beginning)));
  }

  /** The tasks whose file has this name, in any project. */
  async named(name: string): Promise<TaskRow[]> {
    const entries = await this.#entries(TASK_STATES);
    const labels = await this.#fields(entries, ["name"]);
    const isNamed = (label: unknown) => typeof label === "string" && basename(label) === name;
    return await this.#read(entries.filter((_, index) => isNamed(labels[index]?.[0])));
  }

  async #entries(states: readonly TaskState[]): Promise<Entry[]> {
    return (await this.#look(states, Number.POSITIVE_INFINITY)).entries;
  }

  /** Each task once, in the last queue that has it, in the order of the list; of each place at most so many. */
  async #look(states: readonly TaskState[], limit: number): Promise<{ entries: Entry[]; total: number }> {
    const places = placesOf(states);
    // All at the same moment: a task that moves on between two looks would be missed.
    const transaction = this.#redis.multi();
    for (const place of places) this.#range(transaction, place, limit);
    for (const place of places) this.#size(transaction, place);
    const answers = (await transaction.exec()) ?? [];
    const sizes = answers.slice(places.length).map(([, size]) => Number(size));
    const found = places.flatMap((place, index) => entriesOf(place, strings(answers[index]?.[1])));
    // A task that was put back is in the inbox queue while its old job is still where it ended.
    const live = found.filter(({ type }) => !OVER.includes(type));
    const over = found.filter(({ type }) => OVER.includes(type));
    const entries = [...new Map([...over, ...live].map((entry) => [entry.id, entry])).values()].sort(byState);
    return { entries, total: sizes.reduce((sum, size) => sum + size, 0) };
  }

  #range(transaction: ChainableCommander, { queue, type }: Place, limit: number): void {
    const key = this.#queues[queue].toKey(type);
    // The first of a list is its last element.
    if (LISTS.includes(type)) transaction.lrange(key, Number.isFinite(limit) ? -limit : 0, -1);
    else if (OVER.includes(type)) transaction.zrevrange(key, 0, Math.min(limit, MAX_FINISHED) - 1, "WITHSCORES");
    else transaction.zrange(key, 0, String(Number.isFinite(limit) ? limit - 1 : -1), "WITHSCORES");
  }

  #size(transaction: ChainableCommander, { queue, type }: Place): void {
    const key = this.#queues[queue].toKey(type);
    if (LISTS.includes(type)) transaction.llen(key);
    else transaction.zcard(key);
  }

  async #read(entries: readonly Entry[]): Promise<TaskRow[]> {
    const values = await this.#fields(entries, JOB_FIELDS);
    return entries.flatMap(({ id, queue, type }, index) => toRow(id, queue, type, values[index]) ?? []);
  }

  async #fields(entries: readonly Entry[], names: readonly string[]): Promise<unknown[][]> {
    const pipeline = this.#redis.pipeline();
    for (const { id, queue } of entries) pipeline.hmget(this.#queues[queue].toKey(id), ...names);
    const answers = (await pipeline.exec()) ?? [];
    return answers.map(([, values]) => (Array.isArray(values) ? values : []));
  }
}

function onlyOf(states: readonly TaskState[], rows: readonly TaskRow[]): TaskRow[] {
  return rows.filter(({ state }) => states.includes(state));
}

function entriesOf(place: Place, values: readonly string[]): Entry[] {
  if (LISTS.includes(place.type)) return values.toReversed().map((id, index) => ({ ...place, id, score: index }));
  return values.flatMap((id, index) => (index % 2 === 0 ? [{ ...place, id, score: Number(values[index + 1]) }] : []));
}

function strings(answer: unknown): string[] {
  return Array.isArray(answer) ? answer.map(String) : [];
}

function places(types: Readonly<Record<QueueName, readonly JobType[]>>): Place[] {
  return QUEUES.flatMap((queue) => types[queue].map((type) => ({ queue, type })));
}

/** Each place once, in the order in which a task passes through the queues. */
function placesOf(states: readonly TaskState[]): Place[] {
  const wanted = states.flatMap((state) => PLACES[state]);
  const once = [...new Map(wanted.map((place) => [`${place.queue} ${place.type}`, place])).values()];
  return once.sort((a, b) => QUEUES.indexOf(a.queue) - QUEUES.indexOf(b.queue));
}

/** What goes on, what waits by its urgency, then what is over, the last first. */
function byState(a: Entry, b: Entry): number {
  const difference = a.score - b.score;
  return rank(a) - rank(b) || (OVER.includes(a.type) ? -difference : difference);
}

function rank({ queue, type }: Place): number {
  if (OVER.includes(type)) return 5;
  if (type === "delayed" && queue !== "inbox") return 4;
  if (type === "prioritized") return 3;
  if (type === "active" && queue !== "inbox") return queue === "local" ? 0 : 1;
  return 2;
}
