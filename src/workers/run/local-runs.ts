import pLimit from "p-limit";
import { taskKey } from "../../core/id.ts";
import type { TaskFile } from "../../core/task.ts";
import type { Work } from "../../core/work.ts";
import { isProjectGone } from "../../ledger/claim.ts";
import { fingerprint, sight } from "../../ledger/completeness.ts";
import { claimedPath } from "../../ledger/layout.ts";
import type { LocalJob } from "../../queue/fetcher.ts";
import type { Session } from "../tmux/pool.ts";
import { abandonRun } from "./abandon.ts";
import { RunFiles } from "./files.ts";
import { launchRun } from "./launch.ts";
import type { RunParts } from "./parts.ts";
import { prepareRun, takeBack } from "./prepare.ts";
import type { RunRecord } from "./record.ts";
import { seeRun, type Watch } from "./see.ts";
import { isStillOurs } from "./standing.ts";

/** What holds a task's file: a run, and what it knows the file by. */
interface Hand {
  readonly known: string | null;
  /** Until then, it may be about to find that the file is another's. */
  isLaunched: boolean;
  /** The project that was found to have taken the file along. */
  foundIn: string | null;
}

interface Watched extends Pick<Watch, "turn"> {
  readonly record: RunRecord;
  readonly hand: Hand;
  readonly lost: AbortController;
}

/** How soon a job is tried again that could not even be prepared. */
const PREPARE_RETRY_MS = 5_000;
/** How soon a job is tried again while the run of another of its name is not over. */
const RUNS_STILL_RETRY_MS = 500;

/** The runs of this host. Each carries a job through one attempt in a reserved session: prepare, launch, see, finish. */
export class LocalRuns {
  readonly #parts: RunParts;
  /** The tasks whose files are in our hands, and in which: an old run of a task may end after the next has begun. */
  readonly #running = new Map<string, Hand>();
  /** The runs that are watched, by their ids. */
  readonly #watched = new Map<string, Watched>();
  /** The jobs that we held at the last look though none of our runs was theirs. */
  #strays: readonly string[] = [];

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Whether a run of ours holds a task's file. Where its project has taken it along to another name, the run follows. */
  async workOn(task: TaskFile): Promise<Work> {
    const own = this.#running.get(taskKey(task));
    if (own !== undefined) return own.isLaunched ? "going on" : "begun";
    const known = await knownBy(task);
    const hand = [...this.#running.values()].find((one) => one.known === known);
    if (known === null || hand === undefined) return "none";
    hand.foundIn = task.project;
    for (const run of this.#watched.values())
      if (run.hand === hand) await run.turn(async () => await this.#follow(run));
    return "going on";
  }

  async #follow({ record, hand }: Watched): Promise<void> {
    const { foundIn: project } = hand;
    if (record.state.name === "closed" || project === null || project === record.project) return;
    if (!(await isProjectGone(record))) return;
    this.#running.set(taskKey({ ...record, project }), hand);
    record.project = project;
    await this.#parts.store.save(record);
    // Its job is known by the file's place: it is made anew for the new one.
    await this.#parts.fetcher.discard(record.job);
    await isStillOurs(this.#parts, record);
  }

  /** Runs a job and gives the session back. When the signal aborts, the agent goes on and its run stays open. */
  async execute(job: LocalJob, session: Session, signal: AbortSignal): Promise<void> {
    const parts = this.#parts;
    // The end of that run would take this one's claim for its own.
    if (this.#running.has(taskKey(job.payload))) return await this.#postpone(job, session);
    await this.#holding(job.payload, job.payload.fingerprint, async (hand) => {
      const record = await prepareRun(parts, job, session.name).catch(async (error: unknown) => {
        parts.pool.free(session);
        await parts.fetcher.putBack(job.id, PREPARE_RETRY_MS);
        throw error;
      });
      if (record === null) parts.pool.free(session);
      const launched = record === null ? null : await launchRun(parts, record, session);
      if (launched !== null) await this.#see(launched, session, hand, signal);
    }).finally(() => parts.hold.unused(job.id));
  }

  async #postpone(job: LocalJob, session: Session): Promise<void> {
    this.#parts.pool.free(session);
    this.#parts.hold.unused(job.id);
    await this.#parts.fetcher.putBack(job.id, RUNS_STILL_RETRY_MS);
  }

  /**
   * Goes on with every run that an earlier daemon left open, with all at once: those that ended meanwhile are finished
   * before anything new may start. `held` are the jobs that it held. Returns the runs that still go on.
   */
  async recover(held: readonly LocalJob[], signal: AbortSignal): Promise<Promise<void>[]> {
    const { store, fetcher } = this.#parts;
    const open = await store.open();
    const goingOn = await Promise.all(open.map(async (record) => await this.#goOn(record, signal)));
    const known = new Set(open.map(({ job }) => job));
    for (const { id } of held) if (!known.has(id)) await fetcher.putBack(id);
    await this.#releaseLeftovers(open);
    return goingOn.flat();
  }

  /** Goes on with a run where it stands. Returns it where it is not over by that. */
  async #goOn(record: RunRecord, signal: AbortSignal): Promise<Promise<void>[]> {
    const session = await this.#parts.pool.adopt(record.id);
    const see = async (hand: Hand) => await this.#see(record, session, hand, signal);
    if (!(await isStillOurs(this.#parts, record))) await abandonRun(this.#parts, record, session);
    else if (record.state.name === "ended") await this.#holding(record, await knownBy(record), see);
    else if (session !== null || (await this.#wasLaunched(record)))
      return [this.#holding(record, await knownBy(record), see)];
    else await takeBack(this.#parts, record);
    return [];
  }

  /**
   * Gives up the runs whose jobs another host has taken over while this one could not be heard of. What Redis has lost
   * of the others is made good.
   */
  async giveUpLost(): Promise<void> {
    const looks = [...this.#watched.values()].map(async ({ record, lost }) => {
      if (!(await isStillOurs(this.#parts, record))) lost.abort();
    });
    await Promise.all(looks);
  }

  /**
   * Puts back the jobs that Redis gave us in an answer that never arrived, as the connection broke. They are known by
   * two looks: the first may come between two steps of a run. True when a second look is due.
   */
  async putBackStrays(): Promise<boolean> {
    const { fetcher } = this.#parts;
    const held = await fetcher.takeBack();
    const strays = held.filter(({ payload }) => !this.#running.has(taskKey(payload))).map(({ id }) => id);
    const known = strays.filter((id) => this.#strays.includes(id));
    for (const id of known) await fetcher.putBack(id);
    this.#strays = strays.filter((id) => !known.includes(id));
    return this.#strays.length > 0;
  }

  async #see(record: RunRecord, session: Session | null, hand: Hand, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const turn = pLimit(1);
    const run: Watched = { record, hand, lost, turn };
    this.#watched.set(record.id, run);
    hand.isLaunched = true;
    // Its project may have been renamed meanwhile.
    turn(async () => await this.#follow(run)).catch(this.#parts.onError);
    try {
      await seeRun(this.#parts, record, session, { stopped: signal, lost: lost.signal, turn });
    } finally {
      this.#watched.delete(record.id);
    }
  }

  async #wasLaunched(record: RunRecord): Promise<boolean> {
    return (await new RunFiles(this.#parts.store, record.id).process()) !== null;
  }

  /** A crash between a run's close and its session's release left the tag on. */
  async #releaseLeftovers(open: readonly RunRecord[]): Promise<void> {
    const { pool, store } = this.#parts;
    const ids = new Set(open.map(({ id }) => id));
    for (const session of await pool.tagged()) {
      const run = session.pane.run ?? "";
      if (!ids.has(run) && (await store.has(run))) await pool.release(session, { cooldown: false });
    }
  }

  async #holding(task: TaskFile, known: string | null, run: (hand: Hand) => Promise<void>): Promise<void> {
    const hand: Hand = { known, isLaunched: false, foundIn: null };
    this.#running.set(taskKey(task), hand);
    try {
      await run(hand);
    } finally {
      // It may have followed its project to another name.
      for (const [key, by] of this.#running) if (by === hand) this.#running.delete(key);
    }
  }
}

/** What tells a claimed file from all others, wherever its project has taken it; null where there is none. */
async function knownBy(task: TaskFile): Promise<string | null> {
  const claim = await sight(claimedPath(task));
  return claim === null ? null : fingerprint(claim);
}
