import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PRIORITIES } from "../../src/core/task.ts";
import { INBOX_QUEUE, keyPrefix } from "../../src/queue/names.ts";
import type { TaskPayload } from "../../src/queue/payload.ts";
import { type BareQueues, payload, startBareQueues } from "../helpers/bare-queues.ts";

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

/** Hands tasks in; returns the time at which they came. */
async function enter(...payloads: TaskPayload[]): Promise<number> {
  await bare.queues.enqueue(payloads.map((task) => ({ payload: task, id: null })));
  const atMs = Date.now();
  while (Date.now() === atMs);
  return atMs;
}

const oldest = async () => (await bare.queues.backlogs()).inbox.oldestAtMs;

test("none waits, so none is the oldest", async () => {
  expect(await oldest()).toBeNull();
});

test("the first is the oldest, of whatever priority, and the next one after it was taken away", async () => {
  const [first, second] = [payload("first.md", { priority: "low" }), payload("second.md", { priority: "critical" })];
  const fromMs = Date.now();
  const firstMs = await enter(first);
  const secondMs = await enter(second);
  expect(await oldest()).toBeGreaterThanOrEqual(fromMs);
  expect(await oldest()).toBeLessThanOrEqual(firstMs);
  await bare.queues.cancel(first);
  expect(await oldest()).toBeGreaterThan(firstMs);
  expect(await oldest()).toBeLessThanOrEqual(secondMs);
});

test("one that comes in again under its id is as old as its return", async () => {
  const [{ id = "" } = {}] = await bare.queues.enqueue([{ payload: payload("a.md"), id: null }]);
  const enteredMs = (await oldest()) ?? 0;
  while (Date.now() === enteredMs);
  await bare.queues.cancel(payload("a.md"));
  expect(await bare.queues.enqueue([{ payload: payload("a.md"), id }])).toEqual([{ id, state: "new" }]);
  expect(await oldest()).toBeGreaterThan(enteredMs);
});

test("a look at a thousand that wait asks Redis for their times once", async () => {
  await enter(...Array.from({ length: 1_000 }, (_, index) => payload(`${index}.md`)));
  const atMs = await oldest();
  expect(atMs).not.toBeNull();
  const before = await commands();
  expect(await oldest()).toBe(atMs);
  expect((await commands()) - before).toBeLessThan(100);
});

test("one that was at work is the oldest again once it is put back", async () => {
  const firstMs = await enter(payload("first.md"));
  await enter(payload("second.md", { priority: "low" }));
  const job = await bare.inbox.fetch();
  expect(job?.payload.name).toBe("first.md");
  expect(await oldest()).toBeGreaterThan(firstMs);
  await bare.inbox.putBack(job?.id ?? "");
  expect(await oldest()).toBeLessThanOrEqual(firstMs);
});

test("of many that come, are fetched, put back and ended at random, it is the oldest at each look", async () => {
  const fetched: string[] = [];
  const steps = {
    enter: async (step: number) =>
      void (await enter(payload(`${step}.md`, { priority: PRIORITIES[step % PRIORITIES.length] ?? "default" }))),
    fetch: async () => {
      const job = await bare.inbox.fetch();
      if (job !== null) fetched.push(job.id);
    },
    putBack: async () => await bare.inbox.putBack(fetched.shift() ?? "none"),
    end: async () => await bare.inbox.discard(fetched.pop() ?? "none"),
  };
  const kinds = fc.sample(fc.constantFrom("enter", "enter", "fetch", "putBack", "end"), { numRuns: 300, seed: 7 });
  for (const [step, kind] of kinds.entries()) {
    await steps[kind](step);
    expect(await oldest(), `${step}: ${kind}`).toBe(await oldestOfAll());
  }
  expect(fetched.length).toBeGreaterThan(0);
});

/** The same, from each job's own record. */
async function oldestOfAll(): Promise<number | null> {
  const key = (name: string) => `${keyPrefix(bare.shared.workspace)}:${INBOX_QUEUE}:${name}`;
  const ids = await bare.redis.zrange(key("prioritized"), 0, "-1");
  const times = await Promise.all(ids.map(async (id) => Number(await bare.redis.hget(key(id), "timestamp"))));
  return times.length === 0 ? null : Math.min(...times);
}

/** How many commands Redis has dealt with so far, those of scripts included. */
async function commands(): Promise<number> {
  const [, count] = /total_commands_processed:(\d+)/.exec(await bare.redis.info("stats")) ?? [];
  return Number(count);
}
