import { holdsTerminal } from "../process.ts";
import type { Pane, Tmux } from "./tmux.ts";

/** A session that belongs to whoever reserved it until it is released. */
export interface Session {
  readonly name: string;
  readonly pane: Pane;
}

export interface PoolOptions {
  readonly tmux: Tmux;
  readonly prefix: string;
  readonly startIndex: number;
  readonly min: number;
  readonly max: number;
  /** Sessions of operators that lie in the range: never touched. */
  readonly excluded: readonly string[];
  /** Where a new session starts. */
  readonly directory: string;
  readonly cooldownMs: number;
}

/** For this long after we started a shell it is idle by our own knowledge: it may not show as one yet. */
const FRESH_MS = 1_000;
const SHELLS = ["sh", "bash", "zsh", "fish", "dash", "ksh", "ash", "tcsh", "csh", "nu", "xonsh", "pwsh"];

/** The sessions of the configured range: which exist, which are free, and who has reserved one. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #names: readonly string[];
  readonly #reserved = new Set<string>();
  readonly #coolsUntilMs = new Map<string, number>();
  readonly #freshUntilMs = new Map<string, number>();

  constructor(options: PoolOptions) {
    const { prefix, startIndex, max, excluded } = options;
    this.#options = options;
    this.#names = Array.from({ length: max }, (_, index) => `${prefix}${startIndex + index}`).filter(
      (name) => !excluded.includes(name),
    );
  }

  /** Reserves up to `limit` free sessions, in the order of their numbers. Missing ones up to `min` are created first. */
  async reserve(limit: number): Promise<Session[]> {
    const panes = await this.#panes();
    const candidates = this.#names.filter((name) => !this.#reserved.has(name) && this.#isCool(name));
    const free: Session[] = [];
    for (const name of candidates) {
      if (free.length >= limit) break;
      const pane = panes.get(name);
      if (pane === undefined || !(await this.#isIdle(pane))) continue;
      this.#reserved.add(name);
      free.push({ name, pane });
    }
    return free;
  }

  /** Takes a session in which a run of an earlier daemon still is. */
  async adopt(run: string): Promise<Session | null> {
    for (const [name, pane] of await this.#panes()) {
      if (pane.run !== run) continue;
      this.#reserved.add(name);
      return { name, pane };
    }
    return null;
  }

  /** The sessions that carry a run's tag. */
  async tagged(): Promise<Session[]> {
    const panes = [...(await this.#panes())];
    return panes.filter(([, { run }]) => run !== null).map(([name, pane]) => ({ name, pane }));
  }

  /** The reservation ends and nothing was started: the session is as it was. */
  free(session: Session): void {
    this.#reserved.delete(session.name);
  }

  /** The run in the session is over: it is an idle shell again. After a failed launch it rests for the cooldown. */
  async release(session: Session, options: { cooldown: boolean }): Promise<void> {
    try {
      await this.#options.tmux.giveBack(session.pane);
      this.#freshUntilMs.set(session.name, performance.now() + FRESH_MS);
    } finally {
      if (options.cooldown) this.#coolsUntilMs.set(session.name, performance.now() + this.#options.cooldownMs);
      this.#reserved.delete(session.name);
    }
  }

  /** The pool's panes by session. A session of several panes is in use by a person and left out. */
  async #panes(): Promise<Map<string, Pane>> {
    const { tmux, min } = this.#options;
    const listed = await tmux.listPanes();
    const existing = new Set(listed.map(({ session }) => session));
    const present = this.#names.filter((name) => existing.has(name)).length;
    const missing = this.#names.filter((name) => !existing.has(name)).slice(0, Math.max(0, min - present));
    const panes = missing.length > 0 ? await this.#create(missing) : listed;
    return new Map(
      panes.filter((pane) => pane.alone && this.#names.includes(pane.session)).map((pane) => [pane.session, pane]),
    );
  }

  async #create(names: readonly string[]): Promise<Pane[]> {
    const { tmux, directory } = this.#options;
    await tmux.createSessions(names, directory);
    for (const name of names) this.#freshUntilMs.set(name, performance.now() + FRESH_MS);
    return await tmux.listPanes();
  }

  /** A shell at its prompt, with no run of ours in it. */
  async #isIdle(pane: Pane): Promise<boolean> {
    if (pane.run !== null || pane.dead) return false;
    if ((this.#freshUntilMs.get(pane.session) ?? 0) > performance.now()) return true;
    return SHELLS.includes(pane.command.replace(/^-/, "")) && (await holdsTerminal(pane.pid));
  }

  #isCool(name: string): boolean {
    return (this.#coolsUntilMs.get(name) ?? 0) <= performance.now();
  }
}
