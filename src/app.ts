import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { type Config, isDelegating } from "./config/config.ts";
import { childEnvironment } from "./config/environment.ts";
import { Controls } from "./control/controls.ts";
import { HostHeartbeat } from "./control/hosts.ts";
import { Recorder } from "./control/recorder.ts";
import { TaskEvents } from "./core/events.ts";
import type { Service } from "./core/service.ts";
import { Services } from "./core/services.ts";
import type { TaskFile } from "./core/task.ts";
import type { Hold } from "./core/verdict.ts";
import { Host, starting } from "./host.ts";
import { Notifier } from "./notify/notifier.ts";
import { Door } from "./producers/door.ts";
import { InboxWatcher } from "./producers/inbox-watcher.ts";
import { BoardQueues } from "./queue/board-queues.ts";
import { isCutOff, type WorkspaceRedis } from "./queue/connection.ts";
import { Counters } from "./queue/counters.ts";
import { type DelegatedJob, Fetcher } from "./queue/fetcher.ts";
import { History } from "./queue/history.ts";
import { Hosts } from "./queue/hosts.ts";
import { Journal } from "./queue/journal.ts";
import { DELEGATED_QUEUE, LOCAL_QUEUE } from "./queue/names.ts";
import { delegatedPayload, localPayload } from "./queue/payload.ts";
import { RedisWatch } from "./queue/redis-watch.ts";
import { startRedis } from "./queue/start-redis.ts";
import { TaskIndex } from "./queue/task-index.ts";
import { TaskQueues } from "./queue/task-queues.ts";
import { HttpServer } from "./server/http-server.ts";
import { LiveEvents } from "./server/live-events.ts";
import { createWeb } from "./server/web.ts";
import { checkClaudeVersion } from "./workers/claude/version.ts";
import { DelegationWorker } from "./workers/delegation-worker.ts";
import { PoolHold } from "./workers/pool-hold.ts";
import { Reaper } from "./workers/reaper.ts";
import { Retention } from "./workers/retention.ts";
import { routingWorker } from "./workers/routing-worker.ts";
import { RunBoard } from "./workers/run/board.ts";
import { LocalRuns } from "./workers/run/local-runs.ts";
import { RunStore } from "./workers/run/store.ts";
import { Secutools } from "./workers/secutools/client.ts";
import { Takeover } from "./workers/takeover.ts";
import { Pool } from "./workers/tmux/pool.ts";
import { Tmux } from "./workers/tmux/tmux.ts";
import { TmuxWorker } from "./workers/tmux-worker.ts";

/** Everyone else keeps the global Request and Response. */
const listenerOf = (api: Hono) => getRequestListener(api.fetch, { overrideGlobalObjects: false });

export interface AppOptions {
  readonly config: Config;
  readonly events?: TaskEvents;
  /** Called with what went wrong and is tried again; nothing is lost by it. */
  readonly onError: (error: unknown) => void;
  /** Told when the pool is held, when a hold is made longer, and when it is over (null). */
  readonly onHold: (hold: Hold | null) => void;
  /** What the programs that we start inherit: our own environment without the queue's keys, unless given. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The time that holds go by, in ms since the epoch. */
  readonly now?: () => number;
}

/** The daemon: builds every part, starts them in order and stops them in reverse. */
export class App implements Service {
  readonly events: TaskEvents;
  readonly tmux: Tmux;
  readonly #options: AppOptions;
  readonly #environment: Readonly<Record<string, string>>;
  #services = new Services();
  readonly #live: LiveEvents;
  #server: HttpServer | null = null;
  #notifier: Notifier | null = null;

  constructor(options: AppOptions) {
    const { onError } = options;
    // What our own stop cuts off is no trouble: the next start does it again.
    const isOurDoing = (error: unknown) => this.#services.stopping.aborted && isCutOff(error);
    this.#options = { ...options, onError: (error) => isOurDoing(error) || onError(error) };
    this.events = options.events ?? new TaskEvents();
    this.#live = new LiveEvents({ tasks: this.events, onError });
    this.#environment = options.environment ?? childEnvironment();
    this.tmux = new Tmux(options.config.tmuxSocket, this.#environment);
  }

  /** @throws {QueueError} when a part cannot start; those that did are stopped again. */
  async start(): Promise<void> {
    if (this.#services.areRunning) return;
    this.#services = new Services();
    try {
      await this.#startAll();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Where the server answers, once started. */
  get url(): string | null {
    return this.#server?.url ?? null;
  }

  async stop(): Promise<void> {
    await this.#services.stop();
  }

  async #startAll(): Promise<void> {
    const { config, onError, now = Date.now } = this.#options;
    const { events } = this;
    const host = await this.#services.start(new Host(config.stateDir));
    const server = await this.#services.start(new HttpServer({ ...config.server, listener: starting }));
    this.#server = server;
    await checkClaudeVersion(config.claude, this.#environment);
    const environment = this.#environment;
    const address = await startRedis(this.#services, { ...config, environment, onError });
    const shared: WorkspaceRedis = { address, workspace: config.workspace, onError };
    await this.#startNotifier(shared, host.id);
    const queues = await this.#services.start(new TaskQueues({ ...shared, retentionMs: config.retention.jobsMs }));
    const pool = this.#pool(host.id);
    const records = await this.#startRecords(shared, pool);
    const redis = await this.#services.start(new RedisWatch(shared));
    const { runs, worker, ...local } = await this.#startLocal(shared, queues, pool, host.id);
    const { reaper, parts: delegation } = await this.#startDelegated(shared, queues);
    const auto = isDelegating(config) ? { auto: config.secutools.auto } : null;
    await this.#services.start(routingWorker({ ...shared, queues, delegation: auto, events }));
    const { projects, inboxes } = await this.#startInboxes(queues, runs, reaper);
    redis.onBack(() => Promise.all([worker.setRight(), inboxes.sweepOnce("thorough")]).catch(onError));
    const { hosts, takeover } = await this.#startTakeover(shared, host.id);
    const { tmux } = this;
    const { workspace, goneAfterMs } = config;
    const own = { events, redis, tmux, queues, projects, inboxes, worker, delegation, hosts, takeover };
    const controls = new Controls({ ...local, ...records, ...own, workspace, host: host.id, goneAfterMs, now });
    const status = async () => await controls.status();
    await this.#services.start(new HostHeartbeat({ hosts, workspace, host: host.id, status, onError }));
    this.#serve(controls, await this.#services.start(new BoardQueues(shared)), host, server);
  }

  /** Before everything that has something to tell, so that it stops after it. */
  async #startNotifier(shared: WorkspaceRedis, host: string): Promise<void> {
    const { config, now = Date.now } = this.#options;
    const { events } = this;
    const kept = { stateDir: config.stateDir, environment: this.#environment, retentionMs: config.retention.jobsMs };
    this.#notifier = await this.#services.start(
      new Notifier({ ...shared, ...kept, host, events, notify: config.notify, now }),
    );
  }

  async #startLocal(shared: WorkspaceRedis, queues: TaskQueues, pool: Pool, host: string) {
    const { config, onError, now = Date.now } = this.#options;
    const { events, tmux } = this;
    const fetcher = await this.#services.start(
      new Fetcher({ ...shared, queue: LOCAL_QUEUE, payload: localPayload, token: host }),
    );
    const hold = new PoolHold({ stateDir: config.stateDir, now, onChange: (hold) => this.#tellHold(hold) });
    const store = new RunStore(config.stateDir);
    await this.#services.start(new Retention({ ...config, store, queues, onError }));
    const board = new RunBoard();
    const runs = new LocalRuns({ config, tmux, pool, hold, queues, fetcher, store, board, events, now, onError });
    const worker = await this.#services.start(new TmuxWorker({ fetcher, pool, hold, runs, onError }));
    return { runs, worker, pool, hold, board, store };
  }

  async #startRecords(shared: WorkspaceRedis, pool: Pool) {
    const { config, onError } = this.#options;
    const index = await this.#services.start(new TaskIndex(shared));
    const journal = await this.#services.start(new Journal({ ...shared, retentionMs: config.retention.jobsMs }));
    const history = await this.#services.start(new History(shared));
    await this.#services.start(new Recorder({ events: this.events, journal, history, pool, onError }));
    return { index, journal, history };
  }

  async #startTakeover(shared: WorkspaceRedis, host: string) {
    const { config } = this.#options;
    const hosts = await this.#services.start(new Hosts(shared));
    const { events } = this;
    const takeover = await this.#services.start(new Takeover({ ...shared, ...config, host, hosts, events }));
    return { hosts, takeover };
  }

  /** Without a key, what waits for secutools goes to the local pool, and what is out is not lost. */
  async #startDelegated(shared: WorkspaceRedis, queues: TaskQueues) {
    const { config, onError, now = Date.now } = this.#options;
    const { secutools: settings } = config;
    const client = isDelegating(config) ? new Secutools(config.secutools) : null;
    if (client !== null) await this.#services.start({ start: async () => {}, stop: async () => await client.close() });
    const counters = await this.#services.start(new Counters(shared));
    const fetcher = await this.#services.start(
      new Fetcher({
        ...shared,
        queue: DELEGATED_QUEUE,
        payload: delegatedPayload,
        // The same for all hosts: what is out belongs to none of them.
        token: "secutools",
        ratePerSecond: settings.rateLimit,
      }),
    );
    const parts = { settings, client, queues, fetcher, counters, events: this.events, now, onError };
    const worker = new DelegationWorker(parts);
    const onUnsent = (jobs: readonly DelegatedJob[]) => worker.resume(jobs);
    const reaper = await this.#services.start(new Reaper({ ...shared, parts, onUnsent }));
    await this.#services.start(worker);
    return { reaper, parts };
  }

  async #startInboxes(queues: TaskQueues, runs: LocalRuns, reaper: Reaper) {
    const { config, onError } = this.#options;
    const { events } = this;
    const projects = { projectsDir: config.projectsDir, listed: config.dedicated.map(({ project }) => project) };
    const workHere = async (task: TaskFile) => await runs.workOn(task);
    const door = new Door({ queues, events, workHere, onWithdrawn: () => reaper.wake(), onError });
    const { sweepIntervalMs } = config;
    const inboxes = await this.#services.start(new InboxWatcher({ projects, door, sweepIntervalMs, onError }));
    return { projects, inboxes };
  }

  /** On its address for everyone who may come, and on the daemon's socket for its own user. */
  #serve(controls: Controls, queues: BoardQueues, host: Host, server: HttpServer): void {
    const { config, onError } = this.#options;
    const { guarded, trusted } = createWeb({ ...config, controls, queues, events: this.#live, onError });
    server.serve(listenerOf(guarded));
    host.serve(listenerOf(trusted));
  }

  #tellHold(hold: Hold | null): void {
    this.#options.onHold(hold);
    this.#live.hold(hold);
    this.#notifier?.hold(hold);
  }

  #pool(host: string): Pool {
    const { config } = this.#options;
    const excluded = config.dedicated.flatMap(({ session }) => session ?? []);
    return new Pool({
      ...config.pool,
      tmux: this.tmux,
      workspace: config.workspace,
      host,
      excluded,
      directory: config.sessionDir,
      cooldownMs: config.cooldownMs,
    });
  }
}
