import { holdsTerminal } from "../process.ts";
import { PoolOwner, type PoolOwnerOptions } from "./pool-owner.ts";
import type { Pane } from "./tmux.ts";

/** A session that belongs to whoever reserved it until it is released. */
export interface Session {
  readonly name: string;
  readonly pane: Pane;
}

export interface PoolOptions extends PoolOwnerOptions {
  readonly startIndex: number;
  readonly min: number;
  readonly max: number;
  /** Sessions of operators that lie in the range: never touched. */
  readonly excluded: readonly string[];
  /** Where a new session starts. */
  readonly directory: string;
  readonly cooldownMs: number;
}

/** What a session of the pool is good for now; in use = by a person, or by a program that is not ours. */
export type SessionState = "idle" | "busy" | "cooling" | "in use" | "missing";

export interface SessionLook {
  readonly name: string;
  readonly state: SessionState;
  /** Its only pane; null when there is no session, or several panes. */
  readonly pane: Pane | null;
}

/** For this long after a person's last key, an attached session is left to that person. */
const TYPING_MS = 60_000;
/** For this long after we started a shell it is idle by our own knowledge: it may not show as one yet. */
const FRESH_MS = 1_000;
const SHELLS = ["sh", "bash", "zsh", "fish", "dash", "ksh", "ash", "tcsh", "csh", "nu", "xonsh", "pwsh"];

/** The sessions of the configured range: which exist, which are free, and who has reserved one. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #names: readonly string[];
  readonly #owner: PoolOwner;
  readonly #reserved = new Set<string>();
  readonly #freshUntilMs = new Map<string, number>();

  constructor(options: PoolOptions) {
    const { prefix, startIndex, max, excluded } = options;
    this.#options = options;
    this.#owner = new PoolOwner(options);
    this.#names = Array.from({ length: max }, (_, index) => `${prefix}${startIndex + index}`).filter(
      (name) => !excluded.includes(name),
    );
  }

  /** Makes the sessions that are missing, up to `min`. @throws {QueueError} POOL_TAKEN */
  async reconcile(): Promise<void> {
    await this.#owner.take();
    await this.#panesWithMissing();
  }

  /** Leaves the sessions to whichever daemon comes next. */
  async leave(): Promise<void> {
    await this.#owner.leave();
  }

  /**
   * Reserves up to `limit` free sessions, in the order of their numbers. Missing ones up to `min` are made first.
   * @throws {QueueError} POOL_TAKEN
   */
  async reserve(limit: number): Promise<Session[]> {
    const candidates = this.#names.filter((name) => !this.#reserved.has(name));
    if (candidates.length === 0) return [];
    const panes = await this.#panesWithMissing();
    const free: Session[] = [];
    for (const name of candidates) {
      if (free.length >= limit) break;
      const pane = panes.get(name);
      if (pane === undefined || this.#isCooling(pane) || !this.#isIdle(pane)) continue;
      this.#reserved.add(name);
      free.push({ name, pane });
    }
    return free;
  }

  /** Takes a session in which a run of an earlier daemon still is. */
  async adopt(run: string): Promise<Session | null> {
    const session = (await this.tagged()).find(({ pane }) => pane.run === run) ?? null;
    if (session !== null) this.#reserved.add(session.name);
    return session;
  }

  /** The sessions that carry a run's tag. */
  async tagged(): Promise<Session[]> {
    const panes = [...this.#ours(await this.#options.tmux.listPanes())];
    return panes.filter(([, { run }]) => run !== null).map(([name, pane]) => ({ name, pane }));
  }

  /** Every session in the range as it stands. @throws {QueueError} TMUX_FAILED: then nothing is known */
  async look(): Promise<SessionLook[]> {
    const panes = await this.#options.tmux.listPanes();
    const alone = this.#ours(panes);
    const existing = new Set(panes.map(({ session }) => session));
    return this.#names.map((name) => {
      const pane = alone.get(name) ?? null;
      return { name, pane, state: existing.has(name) ? this.#stateOf(name, pane) : "missing" };
    });
  }

  #stateOf(name: string, pane: Pane | null): SessionState {
    if (this.#reserved.has(name) || (pane !== null && pane.run !== null)) return "busy";
    if (pane === null) return "in use";
    if (this.#isCooling(pane)) return "cooling";
    return this.#isIdle(pane) ? "idle" : "in use";
  }

  /** Whether a person is typing in a session, and not just watching. @throws {QueueError} TMUX_FAILED: nothing is known */
  async isTypedIn({ pane }: Session): Promise<boolean> {
    return isTypedIn({ typedAtMs: await this.#options.tmux.typedAtMs(pane) });
  }

  /** The reservation ends and nothing was started: the session is as it was. */
  free(session: Session): void {
    this.#reserved.delete(session.name);
  }

  /** The run in the session is over: it is an idle shell again. After a failure of the session it rests. */
  async release(session: Session, options: { cooldown: boolean }): Promise<void> {
    const { tmux, cooldownMs } = this.#options;
    try {
      await tmux.giveBack(session.pane, options.cooldown ? Date.now() + cooldownMs : 0);
      this.#freshUntilMs.set(session.name, performance.now() + FRESH_MS);
    } finally {
      this.#reserved.delete(session.name);
    }
  }

  async #panesWithMissing(): Promise<Map<string, Pane>> {
    const { tmux, min, directory } = this.#options;
    const panes = await tmux.listPanes();
    const existing = new Set(panes.map(({ session }) => session));
    const present = this.#names.filter((name) => existing.has(name)).length;
    const missing = this.#names.filter((name) => !existing.has(name)).slice(0, Math.max(0, min - present));
    if (missing.length === 0) return this.#ours(panes);
    await tmux.createSessions(missing, directory);
    // The server may have been started with them.
    await this.#owner.take();
    for (const name of missing) this.#freshUntilMs.set(name, performance.now() + FRESH_MS);
    return this.#ours(await tmux.listPanes());
  }

  /** The pool's panes by session. A session of several panes is in use by a person and left out. */
  #ours(panes: readonly Pane[]): Map<string, Pane> {
    const ours = panes.filter((pane) => pane.alone && this.#names.includes(pane.session));
    return new Map(ours.map((pane) => [pane.session, pane]));
  }

  /** A shell at its prompt, with no run of ours in it and nobody who types. */
  #isIdle(pane: Pane): boolean {
    if (pane.run !== null || pane.dead || isTypedIn(pane)) return false;
    if ((this.#freshUntilMs.get(pane.session) ?? 0) > performance.now()) return true;
    return SHELLS.includes(pane.command.replace(/^-/, "")) && holdsTerminal(pane.pid);
  }

  /** What is further off than a cooldown was written before the clock was set back. */
  #isCooling({ coolsUntilMs }: Pane): boolean {
    const leftMs = coolsUntilMs - Date.now();
    return leftMs > 0 && leftMs <= this.#options.cooldownMs;
  }
}

/** An attached person who typed a moment ago may go on typing. */
function isTypedIn({ typedAtMs }: Pick<Pane, "typedAtMs">): boolean {
  return typedAtMs !== null && Date.now() - typedAtMs < TYPING_MS;
}
