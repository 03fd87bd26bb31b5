import { isSystemError, messageOf, QueueError } from "../core/errors.ts";
import type { TaskEvents } from "../core/events.ts";
import { slices } from "../core/slices.ts";
import type { TaskFile } from "../core/task.ts";
import type { Work } from "../core/work.ts";
import { cancellation } from "../ledger/cancellation.ts";
import { unclaim } from "../ledger/claim.ts";
import { fingerprint, type Sighting } from "../ledger/completeness.ts";
import { lastShelvedRun } from "../ledger/find-shelved.ts";
import { invalidMarker, isMarked, readMarker, remoteOf } from "../ledger/marker.ts";
import { parseTask } from "../ledger/parse-task.ts";
import { readTask } from "../ledger/read-task.ts";
import { rejectTask } from "../ledger/shelve.ts";
import type { SeenFile } from "../queue/known-files.ts";
import type { Entry } from "../queue/task-ids.ts";
import type { TaskQueues } from "../queue/task-queues.ts";

/** A claim that belongs to no run; somebody may be trying to begin one, which finds the file claimed. */
interface LostClaim {
  readonly task: TaskFile;
  readonly hasBegun: boolean;
}

/** A complete file in an inbox. */
export interface Arrival {
  readonly task: TaskFile;
  readonly sighting: Sighting;
}

export interface DoorOptions {
  readonly queues: TaskQueues;
  readonly events: TaskEvents;
  /** Whether this host works on a task. */
  readonly workHere: (task: TaskFile) => Promise<Work>;
  /** Told of a file that was taken away and has no waiting job: its task may be with secutools. */
  readonly onWithdrawn: (task: TaskFile) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Why a file has no waiting job by now: it has to be submitted again, as a task of its name still runs or it could not be
 * dealt with; or it is gone, rejected or taken away.
 */
export type Refusal = "later" | "gone";

/** What one look into a file led to. */
type Read =
  | { readonly kind: "good"; readonly entry: Entry; readonly warnings: readonly string[] }
  /** Its task is with secutools. */
  | { readonly kind: "marked" }
  | { readonly kind: Refusal; readonly name: string };

/** Few enough that the first task of a large drop starts while the last is still read. */
const BATCH = 100;

/** The one door into the queue: reads complete files, hands the good ones in and rejects the others. */
export class Door {
  readonly #queues: TaskQueues;
  readonly #events: TaskEvents;
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#queues = options.queues;
    this.#events = options.events;
  }

  /** Submits files in the order given. Returns the names of those that were not taken, and why. */
  async submit(arrivals: readonly Arrival[]): Promise<Map<string, Refusal>> {
    const refused = new Map<string, Refusal>();
    for (const batch of slices(await this.#unknown(arrivals), BATCH))
      for (const [name, refusal] of await this.#submitBatch(batch)) refused.set(name, refusal);
    return refused;
  }

  /** A waiting file was taken away: its job goes too. */
  async withdraw(task: TaskFile): Promise<void> {
    const id = await this.#queues.cancel(task);
    if (id === null) return this.#options.onWithdrawn(task);
    this.#events.emit(await cancellation(task, id, null));
  }

  /** The tasks among these that the queue knows nothing of. */
  async withoutJob(tasks: readonly TaskFile[]): Promise<TaskFile[]> {
    return await this.#queues.withoutJob(tasks);
  }

  /** The files among these that the queue knows nothing of, or knows as they were before. */
  async forgotten(files: readonly SeenFile[]): Promise<SeenFile[]> {
    const isKnown = await this.#queues.areKnown(files);
    return files.filter((_, index) => !isKnown[index]);
  }

  /** The claims that belong to no run, as a crash between two steps leaves them, and whether anybody works on them. */
  async lostClaims(claimed: readonly TaskFile[]): Promise<LostClaim[]> {
    const here = await Promise.all(claimed.map(this.#options.workHere));
    const left = claimed.flatMap((task, index) => (here[index] === "going on" ? [] : [{ task, here: here[index] }]));
    const anywhere = await this.#queues.workOn(left.map(({ task }) => task));
    return left.flatMap(({ task, here }, index) => {
      const work = [here, anywhere[index]];
      return work.includes("going on") ? [] : [{ task, hasBegun: work.includes("begun") }];
    });
  }

  /** Gives back a claim of nobody's. */
  async giveBack(task: TaskFile): Promise<void> {
    await unclaim(task);
  }

  /** Gives marked tasks a job again where the queue has lost it, so that somebody asks secutools about them. */
  async restoreDelegated(marked: readonly TaskFile[]): Promise<void> {
    for (const task of await this.#queues.notOut(marked)) {
      try {
        await this.#restore(task);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  async #restore(task: TaskFile): Promise<void> {
    const marker = await readMarker(task);
    if (marker === null) return;
    const { job, fingerprint, provider, reason, attempt, earlierRuns } = marker;
    const parsed = parseTask(Buffer.from(marker.text));
    if (!parsed.ok) throw invalidMarker(task);
    const routed = {
      ...task,
      header: parsed.header,
      fingerprint,
      earlierRuns,
      reason,
      attempts: attempt - 1,
      ending: null,
    };
    const isRestored = await this.#queues.restoreDelegated(job, { ...routed, provider, remote: remoteOf(marker) });
    if (isRestored) this.#events.emit({ type: "restored", task, id: job });
  }

  /** Those of which the queue knows nothing, or not as they are. */
  async #unknown(arrivals: readonly Arrival[]): Promise<Arrival[]> {
    const files = arrivals.map(({ task, sighting }) => ({ ...task, fingerprint: fingerprint(sighting) }));
    const isKnown = await this.#queues.areKnown(files);
    return arrivals.filter((_, index) => !isKnown[index]);
  }

  async #submitBatch(batch: readonly Arrival[]): Promise<[string, Refusal][]> {
    const read = await Promise.all(batch.map((arrival) => this.#read(arrival)));
    const good = read.filter((one) => one.kind === "good");
    const enqueued = await this.#queues.enqueue(good.map(({ entry }) => entry));
    const busy = good.flatMap(({ entry: { payload, id: earlierId }, warnings }, index): [string, Refusal][] => {
      const { id, state } = enqueued[index] ?? { id: "", state: "busy" };
      const task: TaskFile = { project: payload.project, name: payload.name };
      if (state === "new") this.#events.emit({ type: "seen", task, id, isAgain: id === earlierId, warnings });
      if (state === "updated") this.#events.emit({ type: "updated", task, id });
      return state === "busy" ? [[payload.name, "later"]] : [];
    });
    const refused = read.flatMap((one): [string, Refusal][] => ("name" in one ? [[one.name, one.kind]] : []));
    return [...busy, ...refused];
  }

  async #read({ task, sighting }: Arrival): Promise<Read> {
    try {
      if (await isMarked(task)) return { kind: "marked" };
      const parsed = await readTask(task);
      if (!parsed.ok) {
        await this.#reject({ task, sighting }, parsed.reason);
        return { kind: "gone", name: task.name };
      }
      const { header, warnings, earlier } = parsed;
      const earlierRuns = earlier === null ? 0 : Math.max(earlier.runs, await lastShelvedRun(task, earlier.id));
      const payload = { ...task, header, fingerprint: fingerprint(sighting), earlierRuns };
      return { kind: "good", entry: { payload, id: earlier?.id ?? null }, warnings };
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return { kind: "gone", name: task.name };
      if (isSystemError(error, "EBUSY")) return { kind: "later", name: task.name };
      const isOurs = error instanceof QueueError;
      this.#options.onError(
        isOurs ? error : new Error(`${task.project}: ${task.name}: ${messageOf(error)}`, { cause: error }),
      );
      return { kind: "later", name: task.name };
    }
  }

  /** Named for what was read, so that one that a crash cut short is not repeated when the file comes back. */
  async #reject({ task, sighting }: Arrival, reason: string): Promise<void> {
    const error = { code: "TASK_INVALID", message: reason };
    const run = `rejected-${fingerprint(sighting)}`;
    const path = await rejectTask(task, { result: "rejected", finishedAt: new Date(), error, run });
    this.#events.emit({ type: "rejected", task, id: "", reason, path });
  }
}
