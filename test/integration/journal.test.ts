import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal, type Step } from "../../src/queue/journal.ts";
import { keyPrefix } from "../../src/queue/names.ts";
import { type BareQueues, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

const ID = "kabcdefghi";
const AT = Date.UTC(2026, 10, 21, 9, 30);
const HOUR_MS = 3_600_000;

let bare: BareQueues;
const journals: Journal[] = [];
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => {
  for (const journal of journals.splice(0)) await journal.stop();
  await bare.stop();
});

function open(retentionMs = HOUR_MS, workspace = "w"): Journal {
  const journal = new Journal({ ...bare.shared, workspace, retentionMs });
  journals.push(journal);
  return journal;
}

const step = (text: string, atMs = AT): Step => ({ atMs, type: "seen", text });
const key = (id: string) => `${keyPrefix("w")}:journal:${id}`;

/** Waits until so many steps are written: nobody else waits for them. */
async function written(journal: Journal, count: number, id = ID): Promise<Step[]> {
  return await until(`${count} steps`, async () => {
    const steps = await journal.read(id);
    return steps.length >= count && steps;
  });
}

test("a task's steps are read as they were noted, in order, also by another daemon", async () => {
  const journal = open();
  const steps = ["first", "Über\n東京 🙂", "", '"\\\0\u2028'].map((text, index) => step(text, AT + index));
  for (const noted of steps) journal.note(ID, noted);
  expect(await written(journal, 4)).toEqual(steps);
  expect(await open().read(ID)).toEqual(steps);
});

test("nobody's steps are another's", async () => {
  const journal = open();
  journal.note(ID, step("one"));
  journal.note("zabcdefghi", step("two"));
  await written(journal, 1, "zabcdefghi");
  expect(await journal.read(ID)).toEqual([step("one")]);
  expect(await open(HOUR_MS, "other").read(ID)).toEqual([]);
  expect(await journal.read("kabcdefgh")).toEqual([]);
});

test("the last five hundred are kept", async () => {
  const journal = open();
  for (let index = 0; index < 510; index += 1) journal.note(ID, step(String(index)));
  await until("the last is written", async () => (await journal.read(ID)).at(-1)?.text === "509");
  const steps = await journal.read(ID);
  expect(steps).toHaveLength(500);
  expect(steps[0]?.text).toBe("10");
});

test("they are kept for so long after the last one", async () => {
  const journal = open();
  journal.note(ID, step("one"));
  await written(journal, 1);
  await bare.redis.pexpire(key(ID), HOUR_MS / 2);
  journal.note(ID, step("two"));
  await written(journal, 2);
  expect(await bare.redis.pttl(key(ID))).toBeGreaterThan(HOUR_MS / 2);
  expect(await bare.redis.pttl(key(ID))).toBeLessThanOrEqual(HOUR_MS);
});

test("they are gone afterwards", async () => {
  const journal = open(1_000);
  journal.note(ID, step("one"));
  await written(journal, 1);
  await until("they are gone", async () => (await journal.read(ID)).length === 0);
  expect(await bare.redis.exists(key(ID))).toBe(0);
});

test("what cannot be read is left out", async () => {
  const journal = open();
  journal.note(ID, step("before"));
  await written(journal, 1);
  await bare.redis.rpush(key(ID), "{", "5", '{"atMs":"soon","type":"seen","text":""}', "", '{"atMs":1}');
  journal.note(ID, step("after"));
  expect((await written(journal, 2)).map(({ text }) => text)).toEqual(["before", "after"]);
});

test("whoever notes a step does not wait for it, and a stop does", async () => {
  const journal = open();
  for (let index = 0; index < 100; index += 1) journal.note(ID, step(String(index)));
  await journal.stop();
  expect(await open().read(ID)).toHaveLength(100);
});
