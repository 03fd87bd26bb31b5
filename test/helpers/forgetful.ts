import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { TaskIndex } from "../../src/queue/task-index.ts";
import type { Witness } from "./agent-log.ts";
import { type Delegation, delegable, prepareDelegation } from "./delegation.ts";
import { freePort, prepareRedisServers } from "./redis-servers.ts";
import { redisOf } from "./test-redis.ts";
import { until } from "./until.ts";

const LINES = ["appendonly yes", "appendfsync always"];

/** Tasks in each state, by their names. */
export interface Load {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
  readonly delegated: readonly string[];
  /** How long those work that run. */
  readonly workMs: number;
}

export interface ForgetfulOptions {
  readonly load: Load;
  readonly sweep?: string;
  /** More keys of `secutools:`. */
  readonly more?: string;
}

/** A queue on a Redis that forgets when it is told to. */
export interface Forgetful {
  readonly delegation: Delegation;
  /** Drops the load, until each task is in its state. */
  drop(): Promise<void>;
  empty(): Promise<void>;
  /** Keeps what Redis knows now. */
  keep(): Promise<void>;
  /** Brings Redis back as it was then. */
  setBack(): Promise<void>;
  /** The runs that took their prompt. */
  submits(): Promise<Witness[]>;
  /** How many tasks Redis believes not to be over. */
  live(): Promise<number>;
  /** Every task of the load is done, once, and the queue says so. */
  holds(timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
}

/** So many of each. */
export function loadOf(running: number, waiting: number, delegated: number, workMs: number): Load {
  return { running: names("r", running), waiting: names("w", waiting), delegated: names("d", delegated), workMs };
}

function names(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index}.md`);
}

export async function startForgetful(options: ForgetfulOptions): Promise<Forgetful> {
  const { load, sweep = "60s", more = "concurrency: 20" } = options;
  const servers = await prepareRedisServers();
  const port = await freePort();
  let server = await servers.start(LINES, { port });
  const data = join(servers.dir, String(port), "appendonlydir");
  const snapshot = join(servers.dir, "snapshot");
  const delegation = await prepareDelegation({
    sessions: load.running.length,
    redisUrl: `redis://127.0.0.1:${port}`,
    sweep,
    more,
    platform: { delayMs: 4_000 },
  });
  const { queue } = delegation;
  await queue.app.start();
  const all = [...load.running, ...load.waiting, ...load.delegated].toSorted();

  const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
  const live = async () => {
    const index = new TaskIndex({ address: redisOf(queue.config), workspace: "default", onError: () => {} });
    const { total } = await index.first(["waiting", "delayed", "running", "delegated"], 1);
    await index.stop();
    return total;
  };

  return {
    delegation,
    submits,
    live,
    async drop() {
      for (const name of load.running) await queue.drop(name, `agent: work ${load.workMs}ms\n`);
      await until("all sessions work", async () => (await submits()).length === load.running.length);
      for (const name of load.waiting) await queue.drop(name, "agent: work 1500ms\n");
      for (const name of load.delegated) await queue.drop(name, delegable("do it"));
      await until("all are delegated", () => delegation.events("delegated").length === load.delegated.length);
      await until("all wait", () => delegation.events("routed").length === all.length);
    },
    async empty() {
      await server.cli("flushall");
    },
    async keep() {
      await cp(data, snapshot, { recursive: true });
    },
    async setBack() {
      await server.kill();
      await rm(data, { recursive: true });
      await cp(snapshot, data, { recursive: true });
      server = await servers.start(LINES, { port });
    },
    async holds(timeoutMs = 30_000) {
      expect(await queue.settled("done", all.length, timeoutMs)).toEqual(all);
      await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
      expect(await queue.names("failed")).toEqual([]);
      const runs = (await submits()).map(({ run }) => run);
      expect(new Set(runs).size).toBe(runs.length);
      expect(runs).toHaveLength(load.running.length + load.waiting.length);
      expect(delegation.platform.jobs()).toHaveLength(load.delegated.length);
      expect(delegation.events("cancelled")).toEqual([]);
      await until("nothing waits or runs", async () => (await live()) === 0);
    },
    async stop() {
      await delegation.stop();
      await servers.stop();
    },
  };
}
