import { type FSWatcher as NativeWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { type FSWatcher, watch as watchTree } from "chokidar";
import pLimit from "p-limit";
import { isSystemError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { INBOX, inboxDir, QUEUE_DIR } from "../ledger/layout.ts";
import type { Door } from "./door.ts";
import { identityAt, identityOf } from "./identity.ts";
import { Inbox, type Sweep } from "./inbox.ts";
import { isOnTheWay, listProjects, type ProjectSet, projectOfInbox } from "./projects.ts";
import { isWatchLimit, Troubles } from "./troubles.ts";

export interface InboxWatcherOptions {
  readonly projects: ProjectSet;
  readonly door: Door;
  readonly sweepIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

interface Watched {
  readonly inbox: Inbox;
  /** null where the system does not watch it for us. */
  readonly watcher: NativeWatcher | null;
  /** What the system watches: a folder that takes this one's place is another. */
  readonly identity: string | null;
}

/** From a watched folder down to an inbox: projects, project, .agent-queue. */
const DEPTH = 2;
/** How often we look ourselves where the system does not watch for us. */
const POLL_MS = 1_000;
/** How long after a directory came or went we look for inboxes: chokidar misses what appears in it before it is watched. */
const SEARCH_DELAY_MS = 500;
/** Few enough that hundreds of inboxes take no more memory than some. */
const SWEPT_AT_ONCE = 10;

/**
 * Keeps an eye on every inbox: chokidar tells which inboxes come and go, the system what happens in each,
 * and the sweep finds whatever both missed.
 */
export class InboxWatcher implements Service {
  readonly #options: InboxWatcherOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #troubles: Troubles;
  /** The folders that are watched from the outside, as they were at the last look. */
  readonly #roots = new Map<string, string | null>();
  #tree: FSWatcher | null = null;
  /** Some of the folders above the inboxes are not watched: we have to look for new inboxes ourselves. */
  #isBlind = false;
  #sweep: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  #search: NodeJS.Timeout | null = null;

  constructor(options: InboxWatcherOptions) {
    this.#options = options;
    this.#troubles = new Troubles(options.onError);
  }

  async start(): Promise<void> {
    if (this.#tree !== null) return;
    const { projects, onError, sweepIntervalMs } = this.#options;
    const roots = [...projects.listed, ...(projects.projectsDir === null ? [] : [projects.projectsDir])];
    for (const root of roots) this.#roots.set(root, await identityAt(root));
    this.#tree = watchTree(roots, { depth: DEPTH, ignored: (path) => !isOnTheWay(path, projects) });
    this.#tree.on("addDir", (path) => this.#appeared(path));
    this.#tree.on("unlinkDir", (path) => this.#vanished(path));
    this.#tree.on("raw", (_event, name) => this.#stirred(name));
    this.#tree.on("error", (error) => this.#meet(error));
    this.#sweep = setInterval(() => void this.sweepOnce().catch(onError), sweepIntervalMs);
    this.#poll = setInterval(() => void this.#pollOnce().catch(onError), POLL_MS);
    await this.sweepOnce();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep ?? undefined);
    clearInterval(this.#poll ?? undefined);
    clearTimeout(this.#search ?? undefined);
    await this.#tree?.close();
    this.#tree = null;
    const inboxes = [...this.#watched.values()].map(({ inbox }) => inbox);
    for (const project of [...this.#watched.keys()]) this.#close(project);
    await Promise.all(inboxes.map((inbox) => inbox.stop()));
  }

  /** Looks for inboxes that are not watched yet, and at every file of all of them. */
  async sweepOnce(kind: Sweep = "usual"): Promise<void> {
    await this.#find();
    const sweep = async ([project, { inbox }]: [string, Watched]) =>
      await inbox.sweep(kind).catch((error: unknown) => this.#meetIn(project, error));
    await pLimit(SWEPT_AT_ONCE).map(this.#watched, sweep);
  }

  #appeared(path: string): void {
    const project = projectOfInbox(path, this.#options.projects);
    if (project === null) this.#searchSoon();
    else this.#found(project);
  }

  /** Something on the way to an inbox, where chokidar is silent if another has taken its place. */
  #stirred(name: string): void {
    const isOne = [...this.#watched.keys()].some((project) => basename(project) === name);
    if (isOne || name === QUEUE_DIR || name === INBOX) this.#searchSoon();
  }

  #searchSoon(): void {
    clearTimeout(this.#search ?? undefined);
    this.#search = setTimeout(() => void this.#searchOnce().catch(this.#options.onError), SEARCH_DELAY_MS);
  }

  async #searchOnce(): Promise<void> {
    for (const project of await listProjects(this.#options.projects)) this.#found(project);
    await this.#renewReplaced();
  }

  #found(project: string): void {
    if (this.#watched.has(project)) return;
    this.#open(project);
    // It may have been renamed, with runs and delegated tasks that have to learn of it.
    const inbox = this.#watched.get(project)?.inbox;
    void inbox?.sweep().catch((error: unknown) => this.#meetIn(project, error));
  }

  #vanished(path: string): void {
    const project = projectOfInbox(path, this.#options.projects);
    if (project === null) return;
    this.#lose(project);
    // Something else may have its name by now, which chokidar takes for the same, or cannot read.
    this.#searchSoon();
  }

  /** Its waiting tasks went with it. */
  #lose(project: string): void {
    this.#watched.get(project)?.inbox.list();
    this.#close(project);
  }

  /** Starts to watch an inbox. Where the system watches no more directories, it is polled. */
  #open(project: string): void {
    const known = this.#watched.get(project);
    if (this.#tree === null || known?.watcher) return;
    const inbox = known?.inbox ?? new Inbox(project, this.#options.door, (error) => this.#meetIn(project, error));
    try {
      const identity = identityOf(statSync(inboxDir(project)));
      this.#watched.set(project, { inbox, watcher: this.#watch(inbox), identity });
      this.#troubles.isReadable(inboxDir(project));
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR")) {
        this.#lose(project);
        return;
      }
      this.#watched.set(project, { inbox, watcher: null, identity: null });
      this.#meetIn(project, error);
    }
    inbox.list();
  }

  #watch(inbox: Inbox): NativeWatcher {
    const watcher = watch(inboxDir(inbox.project), (event, name) =>
      name === null ? inbox.list() : inbox.poke(name, event),
    );
    return watcher.on("error", () => this.#close(inbox.project));
  }

  #close(project: string): void {
    const watched = this.#watched.get(project);
    this.#watched.delete(project);
    watched?.watcher?.close();
    watched?.inbox.close();
  }

  /** Something went wrong with an inbox or with one of its tasks. */
  #meetIn(project: string, error: unknown): void {
    const directory = inboxDir(project);
    if (isWatchLimit(error)) this.#troubles.watching(directory, error);
    else if (pathOf(error) === directory) {
      this.#troubles.reading(directory, error);
      this.#unwatch(project);
    } else this.#options.onError(error);
  }

  /** From now on it is polled: the system does not tell when it can be read again. */
  #unwatch(project: string): void {
    const known = this.#watched.get(project);
    if (!known?.watcher) return;
    known.watcher.close();
    this.#watched.set(project, { ...known, watcher: null });
  }

  /** Something went wrong on the way to the inboxes. */
  #meet(error: unknown): void {
    const path = pathOf(error);
    const project = projectOfInbox(path, this.#options.projects);
    if (isWatchLimit(error)) {
      this.#isBlind = true;
      this.#troubles.watching(path, error);
    } else if (project !== null) this.#meetIn(project, error);
    else this.#options.onError(error);
  }

  async #pollOnce(): Promise<void> {
    for (const [root, known] of this.#roots) await this.#followRoot(root, known);
    if (this.#isBlind) await this.#find();
    const unwatched = [...this.#watched].filter(([, { watcher }]) => watcher === null);
    for (const [project] of unwatched) this.#open(project);
    if (unwatched.length === 0 && !this.#isBlind) this.#troubles.isAllWatched();
  }

  /** Nothing tells of a folder that is made, or made anew, where there was none to watch. */
  async #followRoot(root: string, known: string | null): Promise<void> {
    const identity = await identityAt(root);
    if (identity === known) return;
    this.#roots.set(root, identity);
    const projects = [...this.#watched.keys()].filter((path) => path === root || dirname(path) === root);
    for (const project of projects) this.#lose(project);
    this.#tree?.unwatch(root);
    if (identity !== null) this.#tree?.add(root);
  }

  /** Looks again for the inboxes whose folder is another one by now, with its project or without, or is gone. */
  async #renewReplaced(): Promise<void> {
    const watched = [...this.#watched].filter(([, { watcher }]) => watcher !== null);
    const identities = await Promise.all(watched.map(([project]) => identityAt(inboxDir(project))));
    const replaced = watched.filter(([, { identity }], index) => identities[index] !== identity);
    for (const [project] of replaced) {
      this.#lose(project);
      this.#tree?.unwatch(project);
      this.#tree?.add(project);
      this.#found(project);
    }
  }

  /** Opens the inboxes that there are, and closes those that are gone. */
  async #find(): Promise<void> {
    for (const project of await listProjects(this.#options.projects)) this.#open(project);
    await this.#renewReplaced();
  }
}

/** What a system error is about. */
function pathOf(error: unknown): string {
  return error instanceof Error && "path" in error ? String(error.path) : "";
}
