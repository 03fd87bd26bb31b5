import { readFile, writeFile } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { type Daemon, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => {
  daemon.signal("SIGKILL");
  await daemon.ended();
  await queue.app.start();
  await queue.stop();
});

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
