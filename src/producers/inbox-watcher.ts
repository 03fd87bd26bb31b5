import { type FSWatcher as NativeWatcher, watch } from "node:fs";
import { type FSWatcher, watch as watchTree } from "chokidar";
import { isSystemError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { inboxDir } from "../ledger/layout.ts";
import type { Door } from "./door.ts";
import { Inbox } from "./inbox.ts";
import { isOnTheWay, listProjects, type ProjectSet, projectOfInbox } from "./projects.ts";

export interface InboxWatcherOptions {
  readonly projects: ProjectSet;
  readonly door: Door;
  readonly sweepIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

interface Watched {
  readonly inbox: Inbox;
  readonly watcher: NativeWatcher | null;
}

/** From a watched folder down to an inbox: projects, project, .agent-queue. */
const DEPTH = 2;
/** How often an inbox is looked at that the system would not watch for us. */
const POLL_MS = 1_000;

/**
 * Keeps an eye on every inbox: chokidar tells which inboxes come and go, the system what happens in each,
 * and the sweep finds whatever both missed.
 */
export class InboxWatcher implements Service {
  readonly #options: InboxWatcherOptions;
  readonly #watched = new Map<string, Watched>();
  #tree: FSWatcher | null = null;
  #sweep: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;

  constructor(options: InboxWatcherOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#tree !== null) return;
    const { projects, onError, sweepIntervalMs } = this.#options;
    const roots = [...projects.listed, ...(projects.projectsDir === null ? [] : [projects.projectsDir])];
    this.#tree = watchTree(roots, { depth: DEPTH, ignored: (path) => !isOnTheWay(path, projects) });
    this.#tree.on("addDir", (path) => this.#appeared(path));
    this.#tree.on("unlinkDir", (path) => this.#vanished(path));
    this.#tree.on("error", onError);
    this.#sweep = setInterval(() => void this.sweepOnce().catch(onError), sweepIntervalMs);
    this.#poll = setInterval(() => this.#pollUnwatched(), POLL_MS);
    await this.sweepOnce();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweep ?? undefined);
    clearInterval(this.#poll ?? undefined);
    await this.#tree?.close();
    this.#tree = null;
    for (const project of [...this.#watched.keys()]) this.#close(project);
  }

  /** Looks for inboxes that are not watched yet, and at every file of all of them. */
  async sweepOnce(): Promise<void> {
    for (const project of await listProjects(this.#options.projects)) this.#open(project);
    const sweeps = [...this.#watched.values()].map(({ inbox }) => inbox.sweep().catch(this.#options.onError));
    await Promise.all(sweeps);
  }

  #appeared(path: string): void {
    const project = projectOfInbox(path, this.#options.projects);
    if (project !== null) this.#open(project);
  }

  #vanished(path: string): void {
    const project = projectOfInbox(path, this.#options.projects);
    if (project === null) return;
    this.#watched.get(project)?.inbox.list();
    this.#close(project);
  }

  /** Starts to watch an inbox. Where the system watches no more directories, it is polled. */
  #open(project: string): void {
    const known = this.#watched.get(project);
    if (this.#tree === null || known?.watcher) return;
    const inbox = known?.inbox ?? new Inbox(project, this.#options.door, this.#options.onError);
    try {
      this.#watched.set(project, { inbox, watcher: this.#watch(inbox) });
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR")) return;
      if (known === undefined) this.#options.onError(error);
      this.#watched.set(project, { inbox, watcher: null });
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

  #pollUnwatched(): void {
    for (const [project, { watcher }] of this.#watched) if (watcher === null) this.#open(project);
  }
}
