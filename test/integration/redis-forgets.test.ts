import { rm } from "node:fs/promises";
import { afterEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdAnswer } from "../../src/cli/hold.ts";
import { repairAnswer } from "../../src/cli/repair.ts";
import type { Repair } from "../../src/control/repair.ts";
import { sight, unsettledMs } from "../../src/ledger/completeness.ts";
import { claimedPath, taskPath } from "../../src/ledger/layout.ts";
import { type Delegation, delegable } from "../helpers/delegation.ts";
import { type Forgetful, type ForgetfulOptions, loadOf, startForgetful } from "../helpers/forgetful.ts";
import { until } from "../helpers/until.ts";

const SOME = loadOf(3, 4, 3, 3_000);
const ALL = 10;

let redis: Forgetful;
let delegation: Delegation;

afterEach(async () => await redis.stop());

async function start(options: Partial<ForgetfulOptions> = {}): Promise<void> {
  redis = await startForgetful({ load: SOME, ...options });
  delegation = redis.delegation;
}

/** Whether all files that wait are past the moment in which they might still be written. */
async function settled(): Promise<boolean> {
  const { project } = delegation.queue;
  const sightings = await Promise.all(SOME.waiting.map((name) => sight(taskPath({ project, name }))));
  return sightings.every((sighting) => sighting !== null && unsettledMs(sighting, Date.now()) === 0);
}

test("what Redis has lost is told to whoever has it repaired, and then there is nothing left to repair", async () => {
  await start();
  await redis.drop();
  // One that Redis loses before it has settled is enqueued a moment after the repair.
  await until("all files have settled", settled);
  await redis.empty();
  const { config } = delegation.queue;
  const repaired = async () => (await askDaemon(config.stateDir, "POST", "/api/repair", repairAnswer)).repairs;
  const label = ({ task, what }: Repair) => `${what} ${task}`;
  const expected = [
    ...SOME.waiting.map((name) => `enqueued alpha/${name}`),
    ...[...SOME.running, ...SOME.delegated].map((name) => `restored alpha/${name}`),
  ];
  expect((await repaired()).map(label).toSorted()).toEqual(expected.toSorted());
  expect(await repaired()).toEqual([]);
  await redis.holds();
});

test("a task that is out comes home where Redis is set back to when it waited for the local pool", async () => {
  await start({ sweep: "1s" });
  const { queue, platform } = delegation;
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer, { body: {} });
  await queue.drop("x.md", "Do it.\n");
  await until("it waits here", () => delegation.events("routed").length === 1);
  await redis.keep();
  await queue.drop("x.md", delegable("Do it elsewhere."));
  await until("it is out", () => delegation.events("delegated").length === 1);
  await redis.setBack();
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(platform.jobs()).toHaveLength(1);
  await askDaemon(queue.config.stateDir, "POST", "/api/resume", holdAnswer, { body: {} });
  await until("nothing waits or runs", async () => (await redis.live()) === 0);
  expect(await redis.submits()).toEqual([]);
  expect(delegation.events("cancelled")).toEqual([]);
});

test("a task that waits is run as it was edited, where Redis is set back to before that", async () => {
  await start({ sweep: "1s" });
  const { queue } = delegation;
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer, { body: {} });
  await queue.drop("x.md", "Before.\n");
  await until("it waits here", () => delegation.events("routed").length === 1);
  await redis.keep();
  await queue.drop("x.md", "After.\n");
  await until("it waits as it is now", () => delegation.events("updated").length === 1);
  await redis.setBack();
  await askDaemon(queue.config.stateDir, "POST", "/api/resume", holdAnswer, { body: {} });
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  expect((await redis.submits()).map(({ firstLine }) => firstLine)).toEqual(["After."]);
});

test("a task that waits to go out goes as it was edited, where Redis is set back to before that", async () => {
  await start({ sweep: "1s", more: "concurrency: 1" });
  const { queue, gate } = delegation;
  gate.hold("POST", "question");
  await queue.drop("busy.md", delegable("Keep the platform busy."));
  await until("it is on its way", () => gate.held() === 1);
  await queue.drop("x.md", delegable("Before."));
  await until("it waits here", () => delegation.events("routed").length === 2);
  await redis.keep();
  await queue.drop("x.md", delegable("After."));
  await until("it waits as it is now", () => delegation.events("updated").length === 1);
  await redis.setBack();
  gate.release();
  expect(await queue.settled("done", 2, 20_000)).toEqual(["busy.md", "x.md"]);
  expect(await queue.read("done", "x.md")).toMatch(/^After\.$/m);
});

test("the next of a running task's name, which Redis takes for the only one, begins when that run is over", async () => {
  await start();
  const { queue } = delegation;
  await queue.drop("x.md", "agent: hang\n");
  await until("its agent works", async () => (await redis.submits()).length === 1);
  const [{ pid = 0 } = {}] = await redis.submits();
  await redis.empty();
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
  test("is emptied while no daemon runs", async () => {
    await start();
    await redis.drop();
    await delegation.queue.app.stop();
    await redis.empty();
    await delegation.queue.app.start();
    await redis.holds();
  });

  test("is set back to before they were dropped", async () => {
    await start();
    await redis.keep();
    await redis.drop();
    await redis.setBack();
    await redis.holds();
  });

  test("is set back to when they waited while no daemon runs, and some are over since", async () => {
    await start();
    await redis.drop();
    await redis.keep();
    await until("some are over and some run", async () => (await redis.submits()).length > SOME.running.length + 1);
    await delegation.queue.app.stop();
    await redis.setBack();
    await delegation.queue.app.start();
    await redis.holds();
  });

  test("is set back to when all waited, long after they are over", async () => {
    await start();
    await redis.drop();
    await redis.keep();
    await delegation.queue.settled("done", ALL, 30_000);
    await redis.setBack();
    await until("nothing waits or runs", async () => (await redis.live()) === 0);
    await redis.holds();
  });
});
