import { renameSync } from "node:fs";
import { mkdir, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TaskEvents } from "../../src/core/events.ts";
import type { Work } from "../../src/core/work.ts";
import { SETTLE_MS } from "../../src/ledger/completeness.ts";
import { Door } from "../../src/producers/door.ts";
import { Inbox } from "../../src/producers/inbox.ts";
import { type BareQueues, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

let bare: BareQueues;
let inbox: Inbox;
let folder: string;
const seen: string[] = [];
/** What this host does for each task. */
let here: Work;

beforeEach(async () => {
  bare = await startBareQueues();
  seen.length = 0;
  const events = new TaskEvents();
  events.on(({ type, task }) => {
    if (type === "seen") seen.push(task.name);
  });
  const { queues, errors } = bare;
  const onError = (error: unknown) => void errors.push(error);
  const workHere = async () => here;
  here = "none";
  const project = join(bare.dir, "alpha");
  folder = join(project, ".agent-queue", "inbox");
  await mkdir(folder, { recursive: true });
  inbox = new Inbox(project, new Door({ queues, events, workHere, onWithdrawn: () => {}, onError }), onError);
});

afterEach(async () => {
  inbox.close();
  await bare.stop();
});

/** Moves a file in whose times do not tell that it was, and which no event has told of yet. */
async function moveInUnheard(name: string): Promise<void> {
  const draft = join(bare.dir, "draft");
  await writeFile(draft, "moved in\n");
  await utimes(draft, 4_000_000_000, 4_000_000_000);
  await rename(draft, join(folder, name));
}

/** Moves drafts in within a tick or two of the file clock, told of in this order, and waits until all were seen. */
async function moveInTold(names: readonly string[]): Promise<void> {
  for (const name of names) renameSync(join(bare.dir, name), join(folder, name));
  for (const name of names) inbox.poke(name, "rename");
  await until("all are seen", () => seen.length === names.length);
}

test("a file that a listing has found before its event was told need not settle once it is", async () => {
  const waits: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const name = `moved-${round}.md`;
    await moveInUnheard(name);
    const movedAt = performance.now();
    await inbox.sweep();
    inbox.poke(name, "rename");
    await until(`${name} is seen`, () => seen.includes(name));
    waits.push(performance.now() - movedAt);
  }
  // The quickest of them: a busy machine makes any of them late, and none of them early.
  expect(Math.min(...waits)).toBeLessThan(SETTLE_MS);
  expect(bare.errors).toEqual([]);
});

test("one of which more than its name was told settles, whoever has found it first", async () => {
  await moveInUnheard("written.md");
  const movedAt = performance.now();
  await inbox.sweep();
  inbox.poke("written.md", "change");
  inbox.poke("written.md", "rename");
  await until("it is seen", () => seen.includes("written.md"));
  expect(performance.now() - movedAt).toBeGreaterThanOrEqual(SETTLE_MS);
});

test("files that come within one tick of the file clock are handed in, in the order in which they were told of", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `${9 - index}.md`);
  for (const name of names) await writeFile(join(bare.dir, name), "moved in\n");
  await moveInTold(names);
  expect(seen).toEqual(names);
});

test("one that looks whole as the listing finds it waits for those before it that were told of meanwhile", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `${9 - index}.md`);
  for (const [index, name] of names.entries()) {
    const draft = join(bare.dir, name);
    await writeFile(draft, "moved in\n");
    if (index % 2 === 0) await utimes(draft, 4_000_000_000, 4_000_000_000);
  }
  await moveInTold(names);
  expect(seen).toEqual(names);
});

test("it stops when what is under way is over, and hands nothing more in", async () => {
  const names = Array.from({ length: 3_000 }, (_, index) => `${index}.md`);
  await Promise.all(names.map(async (name) => await writeFile(join(folder, name), "waits\n")));
  for (const name of names) inbox.poke(name, "rename");
  await until("some are seen", () => seen.length > 0);
  await inbox.stop();
  await bare.stop();
  const count = seen.length;
  expect(count).toBeLessThan(names.length);
  await inbox.sweep();
  expect([seen.length, bare.errors]).toEqual([count, []]);
});

describe("a sweep of a file that waits", () => {
  /** How often Redis was asked, in scripts, too. */
  async function calls(): Promise<number> {
    const stats = await bare.redis.info("commandstats");
    return [...stats.matchAll(/^cmdstat_(?:m?get|hget|eval):calls=(\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  }

  async function drop(names: readonly string[], text: string): Promise<void> {
    for (const name of names) await writeFile(join(folder, name), text);
    for (const name of names) inbox.poke(name, "change");
  }

  test("costs Redis no more where many wait", async () => {
    const names = Array.from({ length: 50 }, (_, index) => `${index}.md`);
    await drop(names, "waits\n");
    await until("all are seen", () => seen.length === names.length);
    const before = await calls();
    await inbox.sweep();
    expect((await calls()) - before).toBeLessThan(10);
  });

  test("hands it in again, where it is a thorough one and Redis knows it as it was before an edit", async () => {
    await drop(["x.md"], "before\n");
    await until("it is seen", () => seen.length === 1);
    const [key = ""] = await bare.redis.keys(`*:${(await bare.index.named("x.md"))[0]?.id}`);
    const data = async () => await bare.redis.hget(key, "data");
    const earlier = (await data()) ?? "";
    await drop(["x.md"], "after, at more length\n");
    await until("it is handed in again", async () => (await data()) !== earlier);
    const edited = await data();
    await bare.redis.hset(key, "data", earlier);
    await inbox.sweep();
    expect(await data()).toBe(earlier);
    // It is not forgotten where a usual one is under way.
    await Promise.all([inbox.sweep(), inbox.sweep("thorough")]);
    expect(await data()).toBe(edited);
  });
});

describe("a claim that belongs to no run", () => {
  const JOB = "kabcdefghi";
  const LOST_MS = 5_000;
  let knownAt: number;

  beforeEach(async () => {
    await writeFile(join(folder, "x.md.dispatched"), "Do it.\n");
    await bare.queues.toLocal([{ id: JOB, payload: localTask(payload("x.md", {}, join(bare.dir, "alpha"))) }]);
    await inbox.sweep();
    knownAt = performance.now();
  });

  function work(now: Work): void {
    here = now;
  }

  async function sweepInTime(): Promise<string[]> {
    await bare.local.putBack(JOB);
    await until("it is lost for long enough", () => performance.now() - knownAt >= LOST_MS);
    await inbox.sweep();
    return await readdir(folder);
  }

  /** Another host has worked on it for a minute. */
  async function fetchLongAgo(): Promise<void> {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 60_000 });
    await bare.local.fetch().finally(() => vi.useRealTimers());
  }

  test.each<[string, () => unknown, string]>([
    ["goes back, though its job is tried and put back again and again", () => bare.local.fetch(), "x.md"],
    ["goes back, though this host begins to work on it again and again", () => work("begun"), "x.md"],
    ["is another's for as long as its job goes on, and for a while after that", fetchLongAgo, "x.md.dispatched"],
    [
      "is a run's of this host for as long as that goes on, and for a while after that",
      () => work("going on"),
      "x.md.dispatched",
    ],
  ])("%s", async (_what, begin, left) => {
    await begin();
    await inbox.sweep();
    work("none");
    expect(await sweepInTime()).toEqual([left]);
  });

  test("stays while this host begins to work on it, and goes back soon after, without another sweep", async () => {
    work("begun");
    expect(await sweepInTime()).toEqual(["x.md.dispatched"]);
    work("none");
    await until("it is back", async () => (await readdir(folder)).join() === "x.md", 5_000);
  });
});
