import type { WatchEventType } from "node:fs";
import { coalesce } from "../core/coalesce.ts";
import { heardByNow } from "../core/heard.ts";
import { slices } from "../core/slices.ts";
import type { TaskFile } from "../core/task.ts";
import { AT_WORK_MS } from "../ledger/at-work.ts";
import { isClaimed } from "../ledger/claim.ts";
import { fingerprint, type Sighting, sight } from "../ledger/completeness.ts";
import { CutShort } from "../ledger/cut-short.ts";
import { claimedTaskName, isTaskName, markedTaskName, taskPath } from "../ledger/layout.ts";
import { readInbox } from "../ledger/read-inbox.ts";
import type { Arrival, Door } from "./door.ts";
import { Reports } from "./reports.ts";
import { Settling } from "./settling.ts";

/** How soon a file is handed in again whose name still runs. */
const BUSY_RETRY_MS = 500;
/** How soon a scan is repeated that failed, as Redis is full or the folder cannot be read. */
const FAILED_RETRY_MS = 2_000;
/** For how long a claim belongs to nobody that is given back. */
const LOST_MS = 5_000;
/** How soon a folder is swept again in which something was left, as somebody may still have been at it. */
const NEXT_SWEEP_MS = AT_WORK_MS + 1_000;
/** The same for a claim that would go back, if nobody tried to begin its task at this moment: between two tries. */
const TRIED_SWEEP_MS = 300;
/** How long after an event the whole folder is listed, in case the system dropped others. */
const LISTING_DELAY_MS = 1_000;
/** As many looks are begun at once: thousands would keep everything else waiting. */
const LOOKS = 200;
/** Few enough that nobody else waits while they are made ready to be asked for. */
const HANDED_IN_AT_ONCE = 1_000;

/** A thorough one asks Redis of each file as it is: one that was set back may know a task, and not its last edit. */
export type Sweep = "usual" | "thorough";

/**
 * One inbox. Whatever wakes it (a file event, the sweep, the daemon's start) leads to the same scan, which compares
 * the files with what was handed in: a lost or doubled event changes nothing.
 */
export class Inbox {
  readonly project: string;
  readonly #door: Door;
  readonly #onError: (error: unknown) => void;
  /** The files that were handed in, with the fingerprint they had. */
  readonly #known = new Map<string, string>();
  readonly #reports = new Reports();
  readonly #settling = new Settling();
  readonly #cutShort: CutShort;
  readonly #scan = coalesce(() => this.#scanOnce());
  /** The claims that belonged to nobody at the last sweep, and since when that is known. */
  #lost: ReadonlyMap<string, number> = new Map();
  #isListingDue = true;
  #sweepDue: Sweep | null = null;
  #listing: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #nextSweep: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(project: string, door: Door, onError: (error: unknown) => void) {
    this.project = project;
    this.#door = door;
    this.#onError = onError;
    this.#cutShort = new CutShort(project);
  }

  /** Something happened to a file of this name. */
  poke(name: string, event: WatchEventType): void {
    const marked = markedTaskName(name);
    const task = marked ?? claimedTaskName(name) ?? name;
    if (!isTaskName(task) || this.#closed) return;
    // Without its marker, the same file is a task that waits.
    if (marked !== null) this.#known.delete(marked);
    this.#reports.tell(task, task === name ? event : "change");
    this.#listing ??= setTimeout(() => this.list(), LISTING_DELAY_MS);
    this.#wake();
  }

  /** Looks at what is new in the folder, and at what is gone. */
  list(): void {
    clearTimeout(this.#listing ?? undefined);
    this.#listing = null;
    this.#isListingDue = true;
    this.#wake();
  }

  /** Looks at every file anew, and mends what the queue has lost of them. */
  async sweep(kind: Sweep = "usual"): Promise<void> {
    this.#oweSweep(kind);
    if (!this.#closed) await this.#scan();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#listing ?? undefined);
    clearTimeout(this.#retry ?? undefined);
    clearTimeout(this.#nextSweep ?? undefined);
  }

  /** Closes it, and waits for what is under way. */
  async stop(): Promise<void> {
    this.close();
    await this.#scan.settled();
  }

  #wake(): void {
    if (this.#closed) return;
    this.#scan().catch((error: unknown) => {
      this.#onError(error);
      this.#scheduleRetry(FAILED_RETRY_MS);
    });
  }

  async #scanOnce(): Promise<void> {
    if (this.#sweepDue !== null) await this.#sweep(this.#sweepDue);
    if (this.#isListingDue) await this.#list();
    // After the listing, and what the system tells of what it found: else that could overtake what came before it.
    const told = this.#reports.take();
    const isOnlyRenamed = (name: string) => told.get(name) === "renames" && !this.#reports.has(name);
    let left: readonly string[] = [...told.keys()];
    try {
      const sightings = (await this.#look(left)).sort(this.#reports.arrivalOrder(told));
      const changed = sightings.filter((sighting) => this.#known.get(sighting.name) !== fingerprint(sighting));
      left = changed.map(({ name }) => name);
      const handedIn = await this.#handIn(await this.#settling.complete(changed, isOnlyRenamed));
      left = left.filter((name) => !handedIn.has(name));
    } finally {
      // What could not be handed in yet, for whatever reason, is looked at again by the next scan.
      for (const name of left) this.#reports.putBack(name, told);
    }
  }

  #oweSweep(kind: Sweep): void {
    if (this.#sweepDue !== "thorough") this.#sweepDue = kind;
  }

  /** In turn with the scans, as a rejection holds a claim for a moment that belongs to no job. */
  async #sweep(kind: Sweep): Promise<void> {
    this.#sweepDue = null;
    try {
      await this.#mend(kind);
    } catch (error) {
      this.#oweSweep(kind);
      throw error;
    }
  }

  async #mend(kind: Sweep): Promise<void> {
    this.#isListingDue = false;
    const before = await readInbox(this.project);
    const isLeft = await this.#cutShort.end(before.hidden);
    // Only what was hidden can have come back by that.
    const { waiting, claimed, delegated } = before.hidden.length === 0 ? before : await readInbox(this.project);
    const marked = new Set(delegated);
    const isTried = await this.#giveBackLost(claimed.filter((name) => !marked.has(name)));
    await this.#door.restoreDelegated(delegated.map((name) => this.#task(name)));
    const known = [...this.#known].map(([name, fingerprint]) => ({ ...this.#task(name), fingerprint }));
    const forgotten = kind === "thorough" ? this.#door.forgotten(known) : this.#door.withoutJob(known);
    for (const { name } of await forgotten) this.#known.delete(name);
    for (const { name } of known) this.#reports.find(name);
    await this.#compare(waiting);
    if (isTried) this.#sweepSoon(TRIED_SWEEP_MS);
    else if (isLeft || this.#lost.size > 0) this.#sweepSoon(NEXT_SWEEP_MS);
  }

  #sweepSoon(delayMs: number): void {
    clearTimeout(this.#nextSweep ?? undefined);
    if (!this.#closed) this.#nextSweep = setTimeout(() => void this.sweep().catch(this.#onError), delayMs);
  }

  /**
   * Known by two sweeps: another host may be about to tell a Redis that has lost it of a run. True when somebody tries to
   * begin the task of one that would go back.
   */
  async #giveBackLost(claimed: readonly string[]): Promise<boolean> {
    const lost = await this.#door.lostClaims(claimed.map((name) => this.#task(name)));
    const nowMs = performance.now();
    const known = lost.map((claim) => ({ ...claim, sinceMs: this.#lost.get(claim.task.name) ?? nowMs }));
    this.#lost = new Map(known.map(({ task, sinceMs }) => [task.name, sinceMs]));
    const due = known.filter(({ sinceMs }) => nowMs - sinceMs >= LOST_MS);
    for (const { task, hasBegun } of due) if (!hasBegun) await this.#door.giveBack(task);
    return due.some(({ hasBegun }) => hasBegun);
  }

  async #list(): Promise<void> {
    this.#isListingDue = false;
    const { waiting } = await readInbox(this.project).catch((error: unknown) => {
      this.#isListingDue = true;
      throw error;
    });
    await this.#compare(waiting);
  }

  /** Whatever the folder has that is not known, and what is known and there no more, is to be looked at. */
  async #compare(waiting: readonly string[]): Promise<void> {
    const present = new Set(waiting);
    const gone = [...this.#known.keys()].filter((name) => !present.has(name));
    for (const name of waiting) if (!this.#known.has(name)) this.#reports.find(name);
    for (const name of gone) this.#reports.find(name);
    await heardByNow();
  }

  /** The files of these names that are there; those that are gone are withdrawn. */
  async #look(names: readonly string[]): Promise<Sighting[]> {
    const found: (Sighting | null)[] = [];
    for (const some of slices(names, LOOKS))
      found.push(...(await Promise.all(some.map((name) => sight(taskPath(this.#task(name)))))));
    const gone = names.filter((name, index) => found[index] === null && this.#known.has(name));
    for (const name of gone) await this.#withdraw(name);
    return found.filter((sighting) => sighting !== null);
  }

  /** A known file that left without being claimed was taken back by its author. */
  async #withdraw(name: string): Promise<void> {
    const task = this.#task(name);
    this.#known.delete(name);
    if (!(await isClaimed(task))) await this.#door.withdraw(task);
  }

  /** Returns the names of what needs no other look. What is closed hands nothing more in. */
  async #handIn(complete: readonly Sighting[]): Promise<Set<string>> {
    const handedIn = new Set<string>();
    for (const some of slices(complete, HANDED_IN_AT_ONCE)) {
      if (this.#closed) break;
      for (const name of await this.#submit(some)) handedIn.add(name);
    }
    this.#scheduleRetry(handedIn.size < complete.length ? BUSY_RETRY_MS : null);
    return handedIn;
  }

  async #submit(complete: readonly Sighting[]): Promise<string[]> {
    const arrivals = complete.map((sighting): Arrival => ({ task: this.#task(sighting.name), sighting }));
    const refused = await this.#door.submit(arrivals);
    const dealtWith = complete.filter(({ name }) => refused.get(name) !== "later");
    // The very file of one that is gone may be back by now.
    const taken = dealtWith.filter(({ name }) => !refused.has(name));
    for (const sighting of taken) this.#known.set(sighting.name, fingerprint(sighting));
    return dealtWith.map(({ name }) => name);
  }

  #scheduleRetry(busyMs: number | null): void {
    clearTimeout(this.#retry ?? undefined);
    const waits = [busyMs, this.#settling.retryMs].filter((ms) => ms !== null);
    if (waits.length > 0 && !this.#closed) this.#retry = setTimeout(() => this.#wake(), Math.min(...waits));
  }

  #task(name: string): TaskFile {
    return { project: this.project, name };
  }
}
