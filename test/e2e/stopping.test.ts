import { readFile, writeFile } from "node:fs/promises";
import { afterEach, describe, expect, test } from "vitest";
import { probe } from "../../src/queue/connection.ts";
import { type Daemon, endDaemons, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => await endDaemons(queue, [daemon]));

test("SIGTERM with ten agents at work: the daemon is gone within 2 s, the agents are not", async () => {
  queue = await prepareQueue({ sessions: 10 });
  daemon = await startDaemon(queue.configFile, queue.environment);
  for (let index = 0; index < 12; index += 1) await queue.drop(`${index}.md`, "agent: work 20s\n");
  const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
  await until("ten work", async () => (await submits()).length === 10, 30_000);
  const startedMs = performance.now();
  daemon.signal("SIGTERM");
  expect(await daemon.ended()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  for (const { pid } of await submits()) expect(process.kill(pid, 0)).toBe(true);
  expect((await queue.names("inbox")).filter((name) => name.endsWith(".dispatched"))).toHaveLength(10);
});

test("SIGTERM while the daemon still waits for Redis: it is gone within 2 s", async () => {
  queue = await prepareQueue();
  const nowhere = { ...queue.environment, REDIS_URL: "redis://127.0.0.1:1" };
  daemon = runCommand(["start", "--config", queue.configFile], nowhere);
  await until("it waits", () => daemon.output().includes("REDIS_UNREACHABLE"));
  const startedMs = performance.now();
  daemon.signal("SIGTERM");
  expect(await daemon.ended()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

describe("with a Redis that does not answer", () => {
  /** Starts a daemon and takes its Redis away, sends it these signals and returns its exit code, and after how long. */
  async function stopWith(...signals: readonly NodeJS.Signals[]): Promise<{ code: number | string; ms: number }> {
    queue = await prepareQueue();
    daemon = await startDaemon(queue.configFile, queue.environment);
    const redis = await probe(redisOf(queue.config));
    if (redis === null) throw new Error("there is no Redis");
    process.kill(redis, "SIGSTOP");
    try {
      let sentMs = 0;
      for (const signal of signals) {
        sentMs = performance.now();
        daemon.signal(signal);
        await until("it stops", () => daemon.output().includes("stopping: "));
      }
      return { code: await daemon.ended(), ms: performance.now() - sentMs };
    } finally {
      process.kill(redis, "SIGCONT");
    }
  }

  test("SIGTERM: the daemon is gone within 2 s", async () => {
    const { code, ms } = await stopWith("SIGTERM");
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2_000);
  });

  test("a second SIGTERM ends it at once, with 1", async () => {
    const { code, ms } = await stopWith("SIGTERM", "SIGTERM");
    expect(code).toBe(1);
    expect(ms).toBeLessThan(500);
  });

  test("a Ctrl-C that npm passes on as well is one: it stops in order", async () => {
    expect(await stopWith("SIGINT", "SIGINT")).toMatchObject({ code: 0 });
  });
});

test("a version of Claude Code that does not tell how a run ends is refused at the start", async () => {
  queue = await prepareQueue();
  const yaml = await readFile(queue.configFile, "utf8");
  const old = `${queue.dir}/claude-2.0`;
  await writeFile(old, "#!/bin/sh\necho '2.0.76 (Claude Code)'\n", { mode: 0o755 });
  await writeFile(`${queue.dir}/old.yaml`, yaml.replace(/^claude:.*$/m, `claude: { command: ${old} }`));
  daemon = runCommand(["start", "--config", `${queue.dir}/old.yaml`], queue.environment);
  expect(await daemon.ended()).toBe(1);
  expect(daemon.output()).toMatch(/is version "2\.0\.76 \(Claude Code\)".*\[CLAUDE_TOO_OLD\]/);
  expect(daemon.output()).toContain("install Claude Code 2.1.197 or newer");
});
