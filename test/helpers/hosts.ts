import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { App } from "../../src/app.ts";
import type { Config } from "../../src/config/config.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import type { TaskEvent } from "../../src/core/events.ts";
import { claim } from "../../src/ledger/claim.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { inboxDir, taskPath } from "../../src/ledger/layout.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { Fetcher, type LocalJob } from "../../src/queue/fetcher.ts";
import { LOCAL_QUEUE } from "../../src/queue/names.ts";
import { localPayload } from "../../src/queue/payload.ts";
import { type BareQueues, localTask, payload } from "./bare-queues.ts";
import { type FixtureOptions, prepareQueue, type QueueFixture } from "./queue-fixture.ts";
import { openTcpGate, type TcpGate } from "./tcp-gate.ts";
import { until } from "./until.ts";

/** A host in this process: its own state directory, tmux server and way to Redis. */
export interface TestHost {
  readonly app: App;
  readonly config: Config;
  readonly events: TaskEvent[];
  readonly errors: unknown[];
  /** What lies between it and Redis. */
  readonly gate: TcpGate;
}

/** Hosts that share a folder of projects and a Redis. */
export interface Hosts {
  readonly queue: QueueFixture;
  readonly redis: EmbeddedRedis;
  /** Starts one; a name that was used before has its state directory again. */
  start(name: string, changes?: Partial<Config>): Promise<TestHost>;
  stop(): Promise<void>;
}

export async function prepareHosts(options: FixtureOptions = {}): Promise<Hosts> {
  const queue = await prepareQueue(options);
  const redis = new EmbeddedRedis(join(queue.dir, "shared"), childEnvironment(queue.environment));
  await mkdir(join(queue.dir, "shared"));
  await redis.start();
  const started: TestHost[] = [];
  return {
    queue,
    redis,
    async start(name, changes = {}) {
      const gate = await openTcpGate(redis.address.socket);
      const config = {
        ...queue.config,
        stateDir: join(queue.dir, name),
        tmuxSocket: `${queue.config.tmuxSocket}-${name}`,
        redisUrl: `redis://127.0.0.1:${gate.port}`,
        ...changes,
      };
      const errors: unknown[] = [];
      const events: TaskEvent[] = [];
      const app = new App({
        config,
        environment: childEnvironment(queue.environment),
        onError: (error) => errors.push(error),
        onHold: () => {},
      });
      app.events.on((event) => events.push(event));
      const host = { app, config, events, errors, gate };
      started.push(host);
      await app.start();
      return host;
    },
    async stop() {
      for (const { app, gate } of started) {
        gate.mend();
        // BullMQ never ends a connection that is being made anew.
        await until("its connections are back", gate.isWhole);
        await app.stop();
        await app.tmux.killServer();
        await gate.close();
      }
      await redis.stop();
      await queue.stop();
    },
  };
}

/** Waiting tasks of a project in the local queue, with their files, where no daemon is. */
export async function addTasks(bare: BareQueues, project: string, names: readonly string[]): Promise<void> {
  await mkdir(inboxDir(project), { recursive: true });
  for (const name of names) {
    await writeFile(taskPath({ project, name }), `${name}\n`);
    const task = { ...payload(name, {}, project), fingerprint: await fingerprintOf(project, name) };
    await bare.queues.toLocal([{ id: name.replace(".md", ""), payload: localTask(task) }]);
  }
}

/** What a host leaves behind that dies with so many tasks at work: its claims and its locks. */
export async function dieWith(bare: BareQueues, host: string, count: number): Promise<LocalJob[]> {
  const fetcher = await fetcherOf(bare, host);
  const jobs: LocalJob[] = [];
  for (let index = 0; index < count; index += 1) {
    const job = await fetcher.fetch();
    if (job === null) throw new Error("no job waits");
    const { project, name } = job.payload;
    await claim({ project, name }, job.payload.fingerprint);
    jobs.push(job);
  }
  await fetcher.stop();
  return jobs;
}

/** Whoever bears a host's name. */
export async function fetcherOf({ shared }: BareQueues, host: string): Promise<Fetcher<LocalJob["payload"]>> {
  const fetcher = new Fetcher({ ...shared, queue: LOCAL_QUEUE, payload: localPayload, token: host });
  await fetcher.start();
  return fetcher;
}

/** The names in an inbox, hidden ones too. */
export async function inboxOf(project: string): Promise<string[]> {
  return (await readdir(inboxDir(project))).sort();
}

async function fingerprintOf(project: string, name: string): Promise<string> {
  const sighting = await sight(taskPath({ project, name }));
  return sighting === null ? "" : fingerprint(sighting);
}
