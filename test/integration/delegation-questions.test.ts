import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { QueueError } from "../../src/core/errors.ts";
import { Counters } from "../../src/queue/counters.ts";
import { delegable, row } from "../helpers/delegation.ts";
import { type HostilePlatform, send, startHostilePlatform } from "../helpers/hostile-platform.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;
const submission = z.object({ metadata: z.object({ task: z.string() }) });

let queue: QueueFixture;
let platform: HostilePlatform;
/** It stands still unless a test turns it. */
let nowMs: number;

afterEach(async () => {
  await queue.stop();
  await platform.close();
});

type Answer = readonly [status: number, body?: object, headers?: Readonly<Record<string, string>>];

/** A queue, and a platform that takes `x.md` as the job `x`, and answers what else is asked about it as it is told. */
async function start(answer: (id: string, method: string) => Answer, more: string): Promise<void> {
  nowMs = Date.now();
  platform = await startHostilePlatform((response, _index, { method, path, body }) => {
    if (method !== "POST") return send(response, ...answer(basename(path), method));
    const { task } = submission.parse(JSON.parse(body)).metadata;
    send(response, 201, { id: basename(task, ".md"), status: "queued" });
  });
  const secutools = { url: platform.url, key: "key-1", poll: "100ms", more };
  queue = await prepareQueue({ now: () => nowMs, secutools });
  await queue.app.start();
}

const asked = (method: string) =>
  platform.requests.filter((request) => request.method === method).map(({ path }) => basename(path));

/** Drops these, and waits until they are out. */
async function handOut(...names: string[]): Promise<void> {
  for (const name of names) await queue.drop(name, delegable(`Do ${name}.`));
  await until("they are out", () => queue.events.filter(({ type }) => type === "delegated").length === names.length);
}

async function ticks(): Promise<number> {
  const onError = (error: unknown) => queue.errors.push(error);
  const counters = new Counters({ address: redisOf(queue.config), workspace: queue.config.workspace, onError });
  const totals = await counters.read();
  await counters.stop();
  return totals.get("ticks") ?? 0;
}

/** Lets the reaper look as often as it takes to see that it has seen everything. */
async function someTicks(): Promise<void> {
  const before = await ticks();
  await until("the reaper has looked again", async () => (await ticks()) >= before + 4);
}

test("a platform that asks for a pause is asked about nothing until it is over", async () => {
  let isBusy = true;
  const done = (id: string) => ({ id, status: "completed", result: "Done." });
  const later: Answer = [429, {}, { "retry-after": "60" }];
  await start((id, method) => (isBusy && method === "GET" ? later : [200, done(id)]), "concurrency: 1");
  await handOut("a.md", "b.md", "c.md");
  await until("it was asked", () => asked("GET").length > 0);
  await someTicks();
  expect(asked("GET")).toHaveLength(1);

  // What is to be done for other reasons is done.
  await rm(join(queue.project, ".agent-queue", "inbox", "c.md"));
  await until("one is cancelled", () => queue.events.some(({ type }) => type === "cancelled"));
  isBusy = false;
  nowMs += 59_999;
  await someTicks();
  expect(asked("GET")).toHaveLength(1);
  nowMs += 1;
  expect(await queue.settled("done", 2)).toEqual(["a.md", "b.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(asked("GET")).toHaveLength(3);
});

test("a question that had no answer is asked again at the next tick, however old the task is", async () => {
  let isAway = true;
  await start((id) => (isAway ? [503] : [200, { id, status: "completed", result: "Done." }]), "concurrency: 1");
  await handOut("a.md");
  await until("it was asked twice", () => asked("GET").length >= 2);
  isAway = false;
  expect(await queue.settled("done", 1)).toEqual(["a.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
});

test("a task that the platform refuses to tell of fails when its time is over, unless it is our key that it refuses", async () => {
  const refusal = { error: { code: "nope", message: "not so" } };
  const cancellations: Readonly<Record<string, number>> = { "400": 200, "405": 405, "410": 410 };
  const status = (id: string, method: string) => (method === "GET" ? Number(id) : (cancellations[id] ?? 500));
  await start((id, method) => [status(id, method), refusal], "concurrency: 5, max_age: 2h");
  const names = ["400.md", "401.md", "403.md", "405.md", "410.md"];
  const again = async (count: number) =>
    await until("each is asked about again", () => names.every((name) => count < timesAsked(name)));
  const timesAsked = (name: string) => asked("GET").filter((id) => `${id}.md` === name).length;
  await handOut(...names);
  await again(0);
  nowMs += HOUR_MS;
  await again(1);
  expect(await queue.names("failed")).toEqual([]);

  nowMs += HOUR_MS + 1;
  const failed = await queue.settled("failed", 3);
  expect(failed).toEqual(["400.md", "405.md", "410.md"]);
  for (const name of failed) {
    const id = basename(name, ".md");
    expect(row(await queue.read("failed", name), "error")).toBe(
      `SECUTOOLS_JOB_EXPIRED: the platform did not finish it within 2 h: secutools did not tell how the job ${id} stands: ${id} nope: not so`,
    );
  }
  nowMs += HOUR_MS;
  await until("those that are left are asked about", () => timesAsked("401.md") > 3 && timesAsked("403.md") > 3);
  await until("no other is there", async () => (await queue.names("inbox")).length === 4);
  expect(await queue.names("inbox")).toEqual(["401.md", "401.md.delegated", "403.md", "403.md.delegated"]);
  expect(asked("DELETE").sort()).toEqual(["400", "405", "410"]);
  expect(queue.errors.map((error) => error instanceof QueueError && error.code)).toEqual(
    queue.errors.map(() => "SECUTOOLS_REFUSED"),
  );
});
