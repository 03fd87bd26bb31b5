import type { Config } from "./config/config.ts";
import { childEnvironment } from "./config/environment.ts";
import { TaskEvents } from "./core/events.ts";
import type { Service } from "./core/service.ts";
import type { Hold } from "./core/verdict.ts";
import { Host } from "./host.ts";
import { Door } from "./producers/door.ts";
import { InboxWatcher } from "./producers/inbox-watcher.ts";
import { type RedisAddress, untilReachable } from "./queue/connection.ts";
import { EmbeddedRedis } from "./queue/embedded-redis.ts";
import { HostFetcher } from "./queue/host-fetcher.ts";
import { TaskQueues } from "./queue/task-queues.ts";
import { checkClaudeVersion } from "./workers/claude/version.ts";
import { PoolHold } from "./workers/pool-hold.ts";
import { RoutingWorker } from "./workers/routing-worker.ts";
import { LocalRuns } from "./workers/run/local-runs.ts";
import { RunStore } from "./workers/run/store.ts";
import { Pool } from "./workers/tmux/pool.ts";
import { Tmux } from "./workers/tmux/tmux.ts";
import { TmuxWorker } from "./workers/tmux-worker.ts";

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
  readonly #started: Service[] = [];

  constructor(options: AppOptions) {
    this.#options = options;
    this.events = options.events ?? new TaskEvents();
    this.#environment = options.environment ?? childEnvironment();
    this.tmux = new Tmux(options.config.tmuxSocket, this.#environment);
  }

  /** @throws {QueueError} when a part cannot start; those that did are stopped again. */
  async start(): Promise<void> {
    if (this.#started.length > 0) return;
    try {
      await this.#startAll();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const service of this.#started.splice(0).reverse()) await service.stop();
  }

  async #startAll(): Promise<void> {
    const { config, onError, onHold, now = Date.now } = this.#options;
    const { events, tmux } = this;
    const host = await this.#run(new Host(config.stateDir));
    await checkClaudeVersion(config.claude, this.#environment);
    const address = await this.#redis();
    const shared = { address, workspace: config.workspace, onError };
    const queues = await this.#run(new TaskQueues({ ...shared, retentionMs: config.retention.jobsMs }));
    const fetcher = await this.#run(new HostFetcher({ ...shared, host: host.id }));
    const pool = this.#pool();
    const hold = new PoolHold({ stateDir: config.stateDir, now, onChange: onHold });
    const store = new RunStore(config.stateDir);
    await store.prune(config.retention.runsMs);
    const runs = new LocalRuns({ config, tmux, pool, hold, fetcher, store, events, now, onError });
    await this.#run(new TmuxWorker({ fetcher, pool, hold, runs, onError }));
    await this.#run(new RoutingWorker({ queues, delegation: null, events }));
    const projects = { projectsDir: config.projectsDir, listed: config.dedicated.map(({ project }) => project) };
    const door = new Door({ queues, events, isRunning: (task) => runs.isRunning(task), onError });
    await this.#run(new InboxWatcher({ projects, door, sweepIntervalMs: config.sweepIntervalMs, onError }));
  }

  async #redis(): Promise<RedisAddress> {
    const { config, onError } = this.#options;
    if (config.redisUrl === null) {
      const embedded = await this.#run(new EmbeddedRedis(config.stateDir, this.#environment));
      return embedded.address;
    }
    const address = { url: config.redisUrl };
    await untilReachable(address, onError);
    return address;
  }

  #pool(): Pool {
    const { config } = this.#options;
    const excluded = config.dedicated.flatMap(({ session }) => session ?? []);
    return new Pool({
      ...config.pool,
      tmux: this.tmux,
      excluded,
      directory: config.sessionDir,
      cooldownMs: config.cooldownMs,
    });
  }

  async #run<T extends Service>(service: T): Promise<T> {
    await service.start();
    this.#started.push(service);
    return service;
  }
}
