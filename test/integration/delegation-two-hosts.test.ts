import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { QueueEvents } from "bullmq";
import { afterEach, expect, test } from "vitest";
import { App } from "../../src/app.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { connect } from "../../src/queue/connection.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { type Delegation, delegable, prepareDelegation, row } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const TASKS = 100;

let delegation: Delegation;
let redis: EmbeddedRedis;
let hosts: App[];

afterEach(async () => {
  for (const host of hosts) {
    await host.stop();
    await host.tmux.killServer();
  }
  await redis.stop();
  await delegation.stop();
});

/** Another host of the same workspace and the same projects: only its state directory and its tmux server are its own. */
function hostOf({ queue }: Delegation, name: string): App {
  const { config, environment, errors, events } = queue;
  const stateDir = join(queue.dir, name);
  const app = new App({
    config: { ...config, stateDir, redisUrl: redis.address.socket, tmuxSocket: `${config.tmuxSocket}-${name}` },
    environment: childEnvironment(environment),
    onError: (error) => errors.push(error),
    onHold: () => {},
  });
  app.events.on((event) => events.push(event));
  return app;
}

/** Which ticks were begun and ended, in the order that Redis tells. */
async function watchTicks(): Promise<{ seen: string[]; close: () => Promise<void> }> {
  const connection = connect(redis.address);
  const events = new QueueEvents("reaper", { connection, prefix: "{ccl-queue:default}" });
  await events.waitUntilReady();
  const seen: string[] = [];
  events.on("active", ({ jobId }) => seen.push(`begun ${jobId}`));
  events.on("completed", ({ jobId }) => seen.push(`over ${jobId}`));
  events.on("failed", ({ jobId }) => seen.push(`over ${jobId}`));
  return {
    seen,
    close: async () => {
      await events.close();
      connection.disconnect();
    },
  };
}

test("two daemons on one Redis and the same projects: one tick at a time, and nothing is done twice", async () => {
  delegation = await prepareDelegation({ poll: "100ms", platform: { delayMs: [0, 1_500] } });
  const { queue, platform } = delegation;
  await mkdir(join(queue.dir, "shared"));
  redis = new EmbeddedRedis(join(queue.dir, "shared"), childEnvironment(queue.environment));
  await redis.start();
  hosts = ["one", "two"].map((name) => hostOf(delegation, name));
  const ticks = await watchTicks();
  const names = Array.from({ length: TASKS }, (_, index) => `task-${String(index).padStart(2, "0")}.md`);
  await Promise.all(hosts.map(async (host) => await host.start()));
  for (const name of names) await queue.drop(name, delegable(`Do ${name}.`));
  await queue.settled("done", TASKS, 25_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  await ticks.close();

  expect(await queue.names("done")).toEqual(names);
  expect(await queue.names("failed")).toEqual([]);
  expect(platform.stats()).toMatchObject({ accepted: TASKS, duplicates: 0 });
  const ids = new Map(platform.jobs().map(({ id, submission }) => [submission.metadata.task, id]));
  for (const name of names) expect(row(await queue.read("done", name), "provider")).toBe(`gemini (${ids.get(name)})`);
  await until("their ends are told", () => delegation.events("done").length >= TASKS);
  expect(delegation.events("done")).toHaveLength(TASKS);
  expect(delegation.events("cancelled")).toEqual([]);
  expect([await queue.witness(), queue.errors]).toEqual([[], []]);

  // Begun, over, begun, over: at no time two.
  const begun = ticks.seen.filter((line) => line.startsWith("begun"));
  expect(begun.length).toBeGreaterThan(10);
  for (const [index, line] of begun.entries()) {
    expect(ticks.seen[2 * index]).toBe(line);
    if (index < begun.length - 1) expect(ticks.seen[2 * index + 1]).toBe(line.replace("begun", "over"));
  }
});
