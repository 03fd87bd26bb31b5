import { existsSync, watch } from "node:fs";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, type ExpectStatic, type TestContext, test, vi } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { probe } from "../../src/queue/connection.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import {
  type Delegation,
  type DelegationOptions,
  delegable,
  KEY,
  prepareDelegation,
  row,
} from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

/** A tick that was killed is given up after 10 s, and looked for every 5 s. */
const RECOVERY_MS = 40_000;
const NAMES = ["a.md", "b.md", "c.md"];

/** A daemon of its own, as often as it is killed, and the platform that outlives it. */
interface Scene {
  readonly delegation: Delegation;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Stops it in order. */
  stop(): Promise<void>;
  /** Redis answers nobody until it thaws. */
  freezeRedis(): Promise<void>;
  thawRedis(): void;
  inInbox(name: string): string;
}

async function openScene({ onTestFinished }: TestContext, options: DelegationOptions = {}): Promise<Scene> {
  const delegation = await prepareDelegation({ platform: { delayMs: 0 }, ...options });
  const { config, configFile, environment, project } = delegation.queue;
  const redis = new EmbeddedRedis(config.stateDir, childEnvironment(environment));
  let daemon: Daemon | null = null;
  let frozen: number | null = null;
  const end = async (signal: NodeJS.Signals) => {
    daemon?.signal(signal);
    await daemon?.ended();
  };
  const thawRedis = () => {
    if (frozen !== null) process.kill(frozen, "SIGCONT");
    frozen = null;
  };
  onTestFinished(async () => {
    thawRedis();
    await end("SIGKILL");
    // Taking over what the killed daemon left is the way to stop it.
    await redis.start();
    await redis.stop();
    await delegation.stop();
  });
  return {
    delegation,
    kill: async () => await end("SIGKILL"),
    stop: async () => await end("SIGTERM"),
    start: async () => {
      daemon = await startDaemon(configFile, { ...environment, SECUTOOLS_API_KEY: KEY });
    },
    freezeRedis: async () => {
      frozen = await until("Redis answers", async () => await probe(redis.address));
      process.kill(frozen, "SIGSTOP");
    },
    thawRedis,
    inInbox: (name) => join(project, ".agent-queue", "inbox", name),
  };
}

async function drop({ delegation: { queue } }: Scene, names: readonly string[], ...lines: string[]): Promise<void> {
  for (const name of names) await queue.drop(name, delegable([`Do ${name}.`, ...lines].join("\n")));
}

/** Each task is done once, by the one job that the platform accepted for it, and nothing is left of any. */
async function expectDoneOnce(expect: ExpectStatic, { delegation }: Scene, names: readonly string[]): Promise<void> {
  const { queue, platform } = delegation;
  await queue.settled("done", names.length, RECOVERY_MS);
  await vi.waitFor(async () => expect(await queue.names("inbox")).toEqual([]), { timeout: RECOVERY_MS, interval: 20 });
  const jobs = async (state: string, count: "llen" | "zcard") =>
    await delegation.withRedis(async (redis) => await redis[count](`{ccl-queue:default}:delegated:${state}`));
  await until("no job is out", async () => (await jobs("active", "llen")) === 0, RECOVERY_MS);
  expect(await jobs("completed", "zcard")).toBe(names.length);
  expect(await jobs("failed", "zcard")).toBe(0);
  expect(await queue.names("done")).toEqual(names);
  expect(await queue.names("failed")).toEqual([]);
  expect(await queue.witness()).toEqual([]);
  expect(platform.stats()).toMatchObject({ accepted: names.length, duplicates: 0, refused: 0 });
  const ids = new Map(platform.jobs().map(({ id, submission }) => [submission.metadata.task, id]));
  for (const name of names) {
    const text = await queue.read("done", name);
    expect(row(text, "provider")).toBe(`gemini (${ids.get(name)})`);
    expect(text.split("<!-- ccl-queue:footer -->")).toHaveLength(2);
  }
}

/** Tasks that are out, with a platform that is done with them, and a daemon that was stopped in order. */
async function leaveOut(context: TestContext, names: readonly string[], ...lines: string[]): Promise<Scene> {
  let aheadMs = 0;
  const platform = { delayMs: 60_000, now: () => Date.now() + aheadMs };
  const scene = await openScene(context, { platform });
  await scene.start();
  await drop(scene, names, ...lines);
  await until("all are out", async () => (await scene.delegation.markers()).length === names.length);
  await scene.stop();
  aheadMs = 60_000;
  return scene;
}

/** The same, and a daemon whose first tick has asked about all and has no answer yet. */
async function leaveAsked(context: TestContext, names: readonly string[]): Promise<Scene> {
  const scene = await leaveOut(context, names);
  const { gate } = scene.delegation;
  gate.hold("GET", "answer");
  await scene.start();
  await until("all are asked about", () => gate.held() === names.length);
  return scene;
}

describe("kill -9 of the daemon at a submission", () => {
  test("before it reaches the platform", async (context) => {
    const { expect } = context;
    const scene = await openScene(context);
    const { gate, platform } = scene.delegation;
    gate.hold("POST", "question");
    await scene.start();
    await drop(scene, NAMES);
    await until("all are being submitted", () => gate.held() === NAMES.length);
    await scene.kill();
    expect(platform.stats().accepted).toBe(0);
    gate.release();
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
    expect(platform.stats().replays).toBe(0);
  });

  test("when the platform has accepted, and the daemon does not know", async (context) => {
    const { expect } = context;
    const scene = await openScene(context);
    const { gate, platform, markers } = scene.delegation;
    gate.hold("POST", "answer");
    await scene.start();
    await drop(scene, NAMES);
    await until("all are accepted", () => gate.held() === NAMES.length);
    expect(await markers()).toEqual([]);
    await scene.kill();
    expect(platform.stats().accepted).toBe(NAMES.length);
    gate.release();
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
    expect(platform.stats().replays).toBe(NAMES.length);
  });

  test("when the markers are written, and Redis does not know", async (context) => {
    const { expect } = context;
    const scene = await openScene(context);
    const { gate, platform, markers } = scene.delegation;
    gate.hold("POST", "answer");
    await scene.start();
    await drop(scene, NAMES);
    await until("all are accepted", () => gate.held() === NAMES.length);
    await scene.freezeRedis();
    gate.release();
    await until("the markers are written", async () => (await markers()).length === NAMES.length);
    await scene.kill();
    scene.thawRedis();
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
    expect(platform.stats().replays).toBe(0);
  });
});

// Each of these waits until a tick is given up, most of the time for nothing else.
describe.concurrent("kill -9 of the daemon in a tick", () => {
  test("that has asked and has no answer", async (context) => {
    const { expect } = context;
    const scene = await leaveAsked(context, NAMES);
    await scene.kill();
    scene.delegation.gate.release();
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
  });

  test("whose answers arrive", async (context) => {
    const { expect } = context;
    const scene = await leaveOut(context, NAMES, "secutools: slow 2000");
    const { platform, queue } = scene.delegation;
    const open = () => platform.stats().inFlight;
    await scene.start();
    await until("all are being answered", () => open() === NAMES.length);
    await scene.kill();
    expect(await queue.names("done")).toEqual([]);
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
  });

  test("that has finalised the files, and Redis does not know", async (context) => {
    const { expect } = context;
    const scene = await leaveAsked(context, NAMES);
    const { gate, queue } = scene.delegation;
    await scene.freezeRedis();
    gate.release();
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    await scene.kill();
    scene.thawRedis();
    expect(await queue.names("done")).toEqual(NAMES);
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
  });

  test("between done/x.md and the end of its marker, after each step", async (context) => {
    const { expect } = context;
    const scene = await leaveAsked(context, NAMES);
    const { delegation, inInbox } = scene;
    const { gate, queue } = delegation;
    const markers = await Promise.all(NAMES.map(async (name) => await readFile(delegation.marker(name), "utf8")));
    // A second name keeps the very file, which its fingerprint knows.
    for (const name of NAMES) await link(inInbox(name), join(queue.dir, name));
    await scene.freezeRedis();
    gate.release();
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    await scene.kill();
    scene.thawRedis();
    // As if it had come sooner: before a.md was claimed, before b.md was removed, before the markers were.
    await rename(join(queue.dir, "a.md"), inInbox("a.md"));
    await rename(join(queue.dir, "b.md"), inInbox("b.md.dispatched"));
    await rm(join(queue.dir, "c.md"));
    for (const [index, name] of NAMES.entries()) await writeFile(delegation.marker(name), markers[index] ?? "");
    await scene.start();
    await expectDoneOnce(expect, scene, NAMES);
  });

  test("between done/x.md and the end of its marker, as soon as one of many is there", async (context) => {
    const { expect } = context;
    const names = Array.from({ length: 12 }, (_, index) => `task-${String(index).padStart(2, "0")}.md`);
    let cutShort: string[] = [];
    // Some kills come a moment early or late for all of them.
    for (let kills = 0; kills < 10 && cutShort.length === 0; kills += 1) {
      const scene = await leaveAsked(context, names);
      const { gate, queue, marker } = scene.delegation;
      const done = join(queue.project, ".agent-queue", "done");
      await mkdir(done, { recursive: true });
      const killed = new Promise<void>((resolve) => {
        const watcher = watch(done, (_event, name) => {
          if (name?.startsWith(".")) return;
          watcher.close();
          resolve(scene.kill());
        });
      });
      gate.release();
      await killed;
      cutShort = (await queue.names("done")).filter((name) => existsSync(marker(name)));
      await scene.start();
      await expectDoneOnce(expect, scene, names);
    }
    expect(cutShort).not.toEqual([]);
  });

  test.for([1, 2])("or at any other moment, again and again (%i)", async (_which, context) => {
    const { expect } = context;
    const scene = await openScene(context, { poll: "100ms", platform: { delayMs: [0, 3_000] } });
    const names: string[] = [];
    for (let kills = 0; kills < 5; kills += 1) {
      const more = Array.from({ length: 12 }, (_, index) => `task-${kills}-${String(index).padStart(2, "0")}.md`);
      names.push(...more);
      await drop(scene, more);
      await scene.start();
      const asked = scene.delegation.asked("GET");
      // Now and then it gets as far as asking.
      if (kills % 2 === 1) await until("it asks", () => scene.delegation.asked("GET") > asked, RECOVERY_MS);
      await sleep(Math.random() * 400);
      await scene.kill();
    }
    await scene.start();
    await expectDoneOnce(expect, scene, names);
  });
});
