import { basename } from "node:path";
import { Queue } from "bullmq";
import type { ChainableCommander } from "ioredis";
import type { Service } from "../core/service.ts";
import { TASK_STATES, type TaskFile, type TaskState } from "../core/task.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { findJobs, findTagged, readJobFields, type Sought } from "./job-fields.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, keyPrefix, LOCAL_QUEUE } from "./names.ts";
import { JOB_FIELDS, type TaskRow, toRow } from "./task-row.ts";

type QueueName = TaskRow["queue"];
type JobType = "wait" | "prioritized" | "active" | "delayed" | "completed" | "failed";

interface Place {
  readonly queue: QueueName;
  readonly type: JobType;
  /** What goes on has the lowest, what is over the highest. */
  readonly rank: number;
}

/** A task's job, found in a place. */
interface Entry {
  readonly place: Place;
  readonly id: string;
  readonly score: number;
}

/** Which tasks: those of a project, by its directory's path or its own name, those in a queue, and those with a tag. */
export interface Wanted {
  readonly project?: string | undefined;
  readonly queue?: QueueName | undefined;
  readonly tag?: string | undefined;
}

export interface Page {
  readonly total: number;
  readonly rows: TaskRow[];
}

/** In the order in which a task passes through them: it is in the next before it leaves the one before. */
const QUEUES: readonly QueueName[] = ["inbox", "delegated", "local"];
const OVER: readonly JobType[] = ["completed", "failed"];
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
/** What BullMQ keeps as lists; the others are sorted by a score: urgency or time. */
const LISTS: readonly JobType[] = ["wait", "active"];
/** The newest finished jobs of a queue and a type that are ever listed. */
const MAX_FINISHED = 10_000;

/** Every task that the queue knows of, the finished ones as long as their jobs are kept. */
export class TaskIndex implements Service {
  readonly #redis: RedisClient;
  readonly #queues: Readonly<Record<QueueName, Queue>>;

  constructor({ address, workspace, onError }: WorkspaceRedis) {
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
    const { project } = wanted;
    const entries = await this.#candidates(await this.#entries(states), wanted);
    // A cancelled task's job is kept among those that are done.
    const isMixed = states.includes("done") !== states.includes("cancelled");
    if (!isMixed && !project?.startsWith("/"))
      return { total: entries.length, rows: await this.#read(entries.slice(offset, offset + limit)) };
    const rows = onlyOf(states, await this.#read(entries)).filter(({ task }) => isOf(task, project));
    return { total: rows.length, rows: rows.slice(offset, offset + limit) };
  }

  /** Those that may be wanted: to read a task whole costs more than to find a word in what is kept of it. */
  async #candidates(entries: readonly Entry[], { queue, project, tag }: Wanted): Promise<readonly Entry[]> {
    let left = queue === undefined ? entries : entries.filter(({ place }) => place.queue === queue);
    if (project !== undefined)
      left = await this.#having(left, { field: "name", text: `${basename(project)}/`, where: "first" });
    if (tag === undefined) return left;
    const found = await findTagged(this.#redis, this.#keys(left), tag);
    return left.filter((_, index) => found.has(index));
  }

  async #having(entries: readonly Entry[], sought: Sought): Promise<Entry[]> {
    const found = await findJobs(this.#redis, this.#keys(entries), sought);
    return entries.filter((_, index) => found.has(index));
  }

  /**
   * The first of them, at most so many of each place. The total is counted, not read: of those that are not among the
   * first, one that goes on to its next queue counts twice in that moment.
   */
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
    return await this.#read(await this.#having(entries, { field: "name", text: `/${name}`, where: "last" }));
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
    const once = new Map<string, Entry>();
    for (const entry of found) if (isOver(entry)) once.set(entry.id, entry);
    for (const entry of found) if (!isOver(entry)) once.set(entry.id, entry);
    const twice = found.length - once.size;
    return { entries: [...once.values()].sort(byState), total: sizes.reduce((sum, size) => sum + size, 0) - twice };
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
    const values = await readJobFields(this.#redis, this.#keys(entries), JOB_FIELDS);
    return entries.flatMap(({ id, place }, index) => toRow(id, place.queue, place.type, values[index]) ?? []);
  }

  #keys(entries: readonly Entry[]): string[] {
    return entries.map(({ id, place }) => this.#queues[place.queue].toKey(id));
  }
}

function isOf(task: TaskFile, project: string | undefined): boolean {
  return project === undefined || [task.project, basename(task.project)].includes(project);
}

function onlyOf(states: readonly TaskState[], rows: readonly TaskRow[]): TaskRow[] {
  return rows.filter(({ state }) => states.includes(state));
}

function entriesOf(place: Place, values: readonly string[]): Entry[] {
  if (LISTS.includes(place.type)) return values.toReversed().map((id, index) => ({ place, id, score: index }));
  const entries: Entry[] = [];
  for (let index = 0; index + 1 < values.length; index += 2)
    entries.push({ place, id: values[index] ?? "", score: Number(values[index + 1]) });
  return entries;
}

function strings(answer: unknown): string[] {
  return Array.isArray(answer) ? answer.map(String) : [];
}

function places(types: Readonly<Record<QueueName, readonly JobType[]>>): Place[] {
  return QUEUES.flatMap((queue) => types[queue].map((type) => ({ queue, type, rank: rankOf(queue, type) })));
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
  return a.place.rank - b.place.rank || (isOver(a) ? -difference : difference);
}

function isOver({ place }: Entry): boolean {
  return OVER.includes(place.type);
}

function rankOf(queue: QueueName, type: JobType): number {
  if (OVER.includes(type)) return 5;
  if (type === "delayed" && queue !== "inbox") return 4;
  if (type === "prioritized") return 3;
  if (type === "active" && queue !== "inbox") return queue === "local" ? 0 : 1;
  return 2;
}
