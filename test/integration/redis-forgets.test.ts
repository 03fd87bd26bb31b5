import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdAnswer } from "../../src/cli/hold.ts";
import { repairAnswer } from "../../src/cli/repair.ts";
import type { Repair } from "../../src/control/repair.ts";
import { sight, unsettledMs } from "../../src/ledger/completeness.ts";
import { claimedPath, taskPath } from "../../src/ledger/layout.ts";
import { TaskIndex } from "../../src/queue/task-index.ts";
import { type Delegation, delegable, prepareDelegation } from "../helpers/delegation.ts";
import { freePort, prepareRedisServers, type RedisServer, type RedisServers } from "../helpers/redis-servers.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const LINES = ["appendonly yes", "appendfsync always"];

interface Load {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
  readonly delegated: readonly string[];
  /** How long those work that run. */
  readonly workMs: number;
}

const SOME: Load = { running: names("r", 3), waiting: names("w", 4), delegated: names("d", 3), workMs: 3_000 };
/** What the queue promises for such a moment. */
const MANY: Load = { running: names("r", 10), waiting: names("w", 50), delegated: names("d", 20), workMs: 8_000 };
const MANY_TIMEOUT_MS = 120_000;

let servers: RedisServers;
let server: RedisServer;
let port: number;
let delegation: Delegation;

beforeEach(async () => {
  servers = await prepareRedisServers();
  port = await freePort();
  server = await servers.start(LINES, { port });
});

afterEach(async () => {
  await delegation.stop();
  await servers.stop();
});

function names(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index}.md`);
}

const all = ({ running, waiting, delegated }: Load) => [...running, ...waiting, ...delegated].toSorted();
const submits = async () => (await delegation.queue.witness()).filter(({ event }) => event === "submit");
const data = () => join(servers.dir, String(port), "appendonlydir");
const snapshot = () => join(servers.dir, "snapshot");

interface Settings {
  readonly load?: Load;
  readonly sweep?: string;
  readonly more?: string;
}

async function start({ load = SOME, sweep = "60s", more = "concurrency: 20" }: Settings = {}): Promise<void> {
  delegation = await prepareDelegation({
    sessions: load.running.length,
    redisUrl: `redis://127.0.0.1:${port}`,
    sweep,
    more,
    platform: { delayMs: 4_000 },
  });
  await delegation.queue.app.start();
}

async function restart(): Promise<void> {
  server = await servers.start(LINES, { port });
}

/** Brings the server back as it was at the snapshot. */
async function setBack(): Promise<void> {
  await server.kill();
  await rm(data(), { recursive: true });
  await cp(snapshot(), data(), { recursive: true });
  await restart();
}

async function drop(load = SOME): Promise<void> {
  const { queue } = delegation;
  for (const name of load.running) await queue.drop(name, `agent: work ${load.workMs}ms\n`);
  await until("all sessions work", async () => (await submits()).length === load.running.length);
  for (const name of load.waiting) await queue.drop(name, "agent: work 1500ms\n");
  for (const name of load.delegated) await queue.drop(name, delegable("do it"));
  await until("all are delegated", () => delegation.events("delegated").length === load.delegated.length);
  await until("all wait", () => delegation.events("routed").length === all(load).length);
}

async function settled(): Promise<boolean> {
  const { project } = delegation.queue;
  const sightings = await Promise.all(SOME.waiting.map((name) => sight(taskPath({ project, name }))));
  return sightings.every((sighting) => sighting !== null && unsettledMs(sighting, Date.now()) === 0);
}

/** How many tasks Redis believes not to be over. */
async function live(): Promise<number> {
  const index = new TaskIndex({ address: redisOf(delegation.queue.config), workspace: "default", onError: () => {} });
  const { total } = await index.first(["waiting", "delayed", "running", "delegated"], 1);
  await index.stop();
  return total;
}

/** Every task is done, once, and the queue says so. */
async function holds(load = SOME): Promise<void> {
  const { queue } = delegation;
  const timeoutMs = load === MANY ? MANY_TIMEOUT_MS : 30_000;
  expect(await queue.settled("done", all(load).length, timeoutMs)).toEqual(all(load));
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.names("failed")).toEqual([]);
  const runs = (await submits()).map(({ run }) => run);
  expect(new Set(runs).size).toBe(runs.length);
  expect(runs).toHaveLength(load.running.length + load.waiting.length);
  expect(delegation.platform.jobs()).toHaveLength(load.delegated.length);
  expect(delegation.events("cancelled")).toEqual([]);
  await until("nothing waits or runs", async () => (await live()) === 0);
}

test("what Redis has lost is told to whoever has it repaired, and then there is nothing left to repair", async () => {
  await start();
  await drop();
  // One that Redis loses before it has settled is enqueued a moment after the repair.
  await until("all files have settled", settled);
  await server.cli("flushall");
  const { config } = delegation.queue;
  const repaired = async () => (await askDaemon(config.stateDir, "POST", "/api/repair", repairAnswer)).repairs;
  const label = ({ task, what }: Repair) => `${what} ${task}`;
  const expected = [
    ...SOME.waiting.map((name) => `enqueued alpha/${name}`),
    ...[...SOME.running, ...SOME.delegated].map((name) => `restored alpha/${name}`),
  ];
  expect((await repaired()).map(label).toSorted()).toEqual(expected.toSorted());
  expect(await repaired()).toEqual([]);
  await holds();
});

test("a task that is out comes home where Redis is set back to when it waited for the local pool", async () => {
  await start({ sweep: "1s" });
  const { queue, platform } = delegation;
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer, { body: {} });
  await queue.drop("x.md", "Do it.\n");
  await until("it waits here", () => delegation.events("routed").length === 1);
  await cp(data(), snapshot(), { recursive: true });
  await queue.drop("x.md", delegable("Do it elsewhere."));
  await until("it is out", () => delegation.events("delegated").length === 1);
  await setBack();
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(platform.jobs()).toHaveLength(1);
  await askDaemon(queue.config.stateDir, "POST", "/api/resume", holdAnswer, { body: {} });
  await until("nothing waits or runs", async () => (await live()) === 0);
  expect(await submits()).toEqual([]);
  expect(delegation.events("cancelled")).toEqual([]);
});

test("a task that waits is run as it was edited, where Redis is set back to before that", async () => {
  await start({ sweep: "1s" });
  const { queue } = delegation;
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer, { body: {} });
  await queue.drop("x.md", "Before.\n");
  await until("it waits here", () => delegation.events("routed").length === 1);
  await cp(data(), snapshot(), { recursive: true });
  await queue.drop("x.md", "After.\n");
  await until("it waits as it is now", () => delegation.events("updated").length === 1);
  await setBack();
  await askDaemon(queue.config.stateDir, "POST", "/api/resume", holdAnswer, { body: {} });
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  expect((await submits()).map(({ firstLine }) => firstLine)).toEqual(["After."]);
});

test("a task that waits to go out goes as it was edited, where Redis is set back to before that", async () => {
  await start({ sweep: "1s", more: "concurrency: 1" });
  const { queue, gate } = delegation;
  gate.hold("POST", "question");
  await queue.drop("busy.md", delegable("Keep the platform busy."));
  await until("it is on its way", () => gate.held() === 1);
  await queue.drop("x.md", delegable("Before."));
  await until("it waits here", () => delegation.events("routed").length === 2);
  await cp(data(), snapshot(), { recursive: true });
  await queue.drop("x.md", delegable("After."));
  await until("it waits as it is now", () => delegation.events("updated").length === 1);
  await setBack();
  gate.release();
  expect(await queue.settled("done", 2, 20_000)).toEqual(["busy.md", "x.md"]);
  expect(await queue.read("done", "x.md")).toMatch(/^After\.$/m);
});

test("the next of a running task's name, which Redis takes for the only one, begins when that run is over", async () => {
  await start();
  const { queue } = delegation;
  await queue.drop("x.md", "agent: hang\n");
  await until("its agent works", async () => (await submits()).length === 1);
  const [{ pid = 0 } = {}] = await submits();
  await server.cli("flushall");
  await queue.drop("x.md", "The next one.\n");
  await until("the next one waits", () => delegation.events("routed").length === 2);
  process.kill(pid, "SIGSTOP");
  await rm(claimedPath({ project: queue.project, name: "x.md" }));
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  const told = queue.events.flatMap(({ type }) => (type === "launched" || type === "cancelled" ? [type] : []));
  expect(told).toEqual(["launched", "cancelled", "launched"]);
  expect(await queue.read("done", "x.md")).toMatch(/^The next one\.\n/);
});

describe("all tasks end once, and none is run or submitted again, when Redis", () => {
  test("is emptied", { timeout: MANY_TIMEOUT_MS }, async () => {
    await start({ load: MANY, sweep: "1s" });
    await drop(MANY);
    await server.cli("flushall");
    await holds(MANY);
  });

  test("is emptied while no daemon runs", async () => {
    await start();
    await drop();
    await delegation.queue.app.stop();
    await server.cli("flushall");
    await delegation.queue.app.start();
    await holds();
  });

  test("is set back to before they were dropped", async () => {
    await start();
    await cp(data(), snapshot(), { recursive: true });
    await drop();
    await setBack();
    await holds();
  });

  test("is set back to when they waited, and some are over since", { timeout: MANY_TIMEOUT_MS }, async () => {
    await start({ load: MANY });
    await drop(MANY);
    await cp(data(), snapshot(), { recursive: true });
    await until("some are over and some run", async () => (await submits()).length > MANY.running.length + 1);
    await setBack();
    await holds(MANY);
  });

  test("is set back to when they waited while no daemon runs, and some are over since", async () => {
    await start();
    await drop();
    await cp(data(), snapshot(), { recursive: true });
    await until("some are over and some run", async () => (await submits()).length > SOME.running.length + 1);
    await delegation.queue.app.stop();
    await setBack();
    await delegation.queue.app.start();
    await holds();
  });

  test("is set back to when all waited, long after they are over", async () => {
    await start();
    await drop();
    await cp(data(), snapshot(), { recursive: true });
    await delegation.queue.settled("done", all(SOME).length, 30_000);
    await setBack();
    await until("nothing waits or runs", async () => (await live()) === 0);
    await holds();
  });
});
