import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TaskEvents } from "../../src/core/events.ts";
import { PRIORITIES } from "../../src/core/task.ts";
import { keyPrefix } from "../../src/queue/names.ts";
import { routingWorker } from "../../src/workers/routing-worker.ts";
import { type BareQueues, payload, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

const COUNT = 1_000;
const AT_A_TIME = 3;

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

interface Routing {
  /** Resolves once at least so many tasks were routed in all. */
  readonly until: (count: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

async function startRouting(): Promise<Routing> {
  const events = new TaskEvents();
  let routed = 0;
  events.on(({ type }) => {
    if (type === "routed") routed += 1;
  });
  const worker = routingWorker({ ...bare.shared, queues: bare.queues, delegation: null, events });
  await worker.start();
  const all = async (count: number) => void (await until("all are routed", () => routed >= count));
  return { until: all, stop: async () => await worker.stop() };
}

/** What waits in the local queue, the first first. */
async function waiting(): Promise<string[]> {
  return (await bare.index.list(["waiting"])).map(({ task, queue }) => `${queue} ${task.name}`);
}

test("many tasks that are there at once wait in the order in which they came, within a priority", async () => {
  const tasks = Array.from({ length: COUNT }, (_, index) =>
    payload(`${index}.md`, { priority: PRIORITIES[index % PRIORITIES.length] ?? "default" }),
  );
  await bare.queues.enqueue(tasks.map((task) => ({ payload: task, id: null })));
  const routing = await startRouting();
  await routing.until(COUNT);
  await routing.stop();
  const ranked = PRIORITIES.flatMap((_, rank) => tasks.filter((_task, index) => index % PRIORITIES.length === rank));
  expect(await waiting()).toEqual(ranked.map(({ name }) => `local ${name}`));
});

test("so do tasks that come a few at a time", async () => {
  const tasks = Array.from({ length: COUNT }, (_, index) => payload(`${index}.md`));
  const routing = await startRouting();
  for (let start = 0; start < COUNT; start += AT_A_TIME) {
    const some = tasks.slice(start, start + AT_A_TIME);
    await bare.queues.enqueue(some.map((task) => ({ payload: task, id: null })));
  }
  await routing.until(COUNT);
  await routing.stop();
  expect(await waiting()).toEqual(tasks.map(({ name }) => `local ${name}`));
});

test("a stop in the middle of it leaves none at hand, and the next start goes on where it was", async () => {
  const tasks = Array.from({ length: COUNT }, (_, index) => payload(`${index}.md`));
  await bare.queues.enqueue(tasks.map((task) => ({ payload: task, id: null })));
  const first = await startRouting();
  await first.until(COUNT / 10);
  await first.stop();
  const { inbox, local } = await bare.queues.backlogs();
  expect(inbox.active).toBe(0);
  expect(inbox.waiting).toBeGreaterThan(0);
  expect(inbox.waiting + local.waiting).toBe(COUNT);
  const second = await startRouting();
  await second.until(inbox.waiting);
  await second.stop();
  expect(await waiting()).toEqual(tasks.map(({ name }) => `local ${name}`));
  expect(bare.errors).toEqual([]);
});

describe("of many tasks that are there at once, one that cannot be read", () => {
  test.each([
    ["is no task", JSON.stringify({ ...payload("x.md"), header: {} }), 1],
    // BullMQ reads it before we do.
    ["is no JSON", "{", 0],
  ])("and %s keeps none of the others", async (_what, data, failed) => {
    const tasks = Array.from({ length: 100 }, (_, index) => payload(`${index}.md`));
    const enqueued = await bare.queues.enqueue(tasks.map((task) => ({ payload: task, id: null })));
    await bare.redis.hset(`${keyPrefix("w")}:inbox:${enqueued[50]?.id}`, "data", data);
    const routing = await startRouting();
    await routing.until(99);
    await routing.stop();
    expect(await waiting()).toEqual(tasks.filter((_, index) => index !== 50).map(({ name }) => `local ${name}`));
    expect(await bare.redis.zcard(`${keyPrefix("w")}:inbox:failed`)).toBe(failed);
    expect(bare.errors).toHaveLength(1 - failed);
  });
});
