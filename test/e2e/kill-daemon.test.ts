import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const TASKS = 40;
const ROUNDS = 50;
const SESSIONS = 10;

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => {
  daemon.signal("SIGKILL");
  await daemon.ended();
  // Starting the same queue once more stops what the killed daemon left.
  await queue.app.start();
  await queue.stop();
});

const names = (batch: number) => Array.from({ length: TASKS }, (_, index) => `batch-${batch}-task-${index}.md`);
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");

async function dropBatch(batch: number): Promise<void> {
  for (const name of names(batch)) await queue.drop(name, `${name}\nagent: work 1500ms\n`);
}

async function startAgain(): Promise<void> {
  daemon = await startDaemon(queue.configFile, queue.environment);
}

async function killDaemon(): Promise<void> {
  daemon.signal("SIGKILL");
  await daemon.ended();
}

/** Drops batches of tasks and does harm at random moments, so many times, until all tasks are over. Returns the number of tasks. */
async function rounds(count: number, harm: () => Promise<void>): Promise<number> {
  let batches = 0;
  await startAgain();
  for (let round = 0; round < count; round += 1) {
    if ((await queue.names("inbox")).length < SESSIONS) {
      batches += 1;
      await dropBatch(batches);
    }
    await sleep(Math.random() * 900);
    await harm();
  }
  const total = batches * TASKS;
  await until("every task is over", async () => (await over()) === total, 240_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  return total;
}

async function over(): Promise<number> {
  const [done, failed] = await Promise.all([queue.names("done"), queue.names("failed")]);
  return [...done, ...failed].filter((name) => !name.startsWith(".")).length;
}

test(`${ROUNDS} times kill -9 of the daemon: every task runs exactly once and is done`, async () => {
  queue = await prepareQueue({ sessions: SESSIONS });
  const total = await rounds(ROUNDS, async () => {
    await killDaemon();
    await startAgain();
  });
  const runs = (await starts()).map(({ firstLine }) => firstLine);
  expect(runs).toHaveLength(new Set(runs).size);
  expect(runs).toHaveLength(total);
  expect(await queue.names("failed")).toEqual([]);
}, 400_000);

test("the same with agents and sessions killed in between: at most the killed attempt is repeated", async () => {
  queue = await prepareQueue({ sessions: SESSIONS, limits: "attempts: 20, backoff: 100ms" });
  let killed = 0;
  const total = await rounds(20, async () => {
    if (killed % 2 === 0) await killDaemon();
    const panes = await queue.tmux("list-panes", "-a", "-F", "#{@ccl_run} #{session_name}");
    const [, session] =
      panes
        .split("\n")
        .map((line) => line.split(" "))
        .find(([run]) => run !== "") ?? [];
    if (session !== undefined) {
      await queue.tmux("kill-session", "-t", `=${session}`);
      killed += 1;
    }
    if (daemon.hasEnded()) await startAgain();
  });
  expect(killed).toBeGreaterThan(0);
  expect((await starts()).length).toBeLessThanOrEqual(total + killed);
  expect(await queue.names("failed")).toEqual([]);
  expect((await queue.names("done")).filter((name) => !name.startsWith(".")).length).toBe(total);
}, 400_000);
