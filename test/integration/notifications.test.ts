import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import type { NotifyEvent } from "../../src/config/schema.ts";
import { QueueError } from "../../src/core/errors.ts";
import { TaskEvents } from "../../src/core/events.ts";
import type { Hold } from "../../src/core/verdict.ts";
import { type Notification, notification } from "../../src/notify/notification.ts";
import { Notifier, type NotifierOptions } from "../../src/notify/notifier.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { keyPrefix } from "../../src/queue/names.ts";
import { NOTIFICATIONS_QUEUE } from "../../src/queue/notifications.ts";
import { startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";
import { type Answer, type Receiver, startReceiver } from "../helpers/webhook-receiver.ts";

const SECRET = "s3cret-of-both";
const ALL: readonly NotifyEvent[] = ["done", "failed", "attention", "hold"];
const HOLD: Hold = { kind: "limit", sinceMs: 1_000, untilMs: 2_000_000, message: "5-hour limit reached" };

let dir: string;
let redis: EmbeddedRedis;
let events: TaskEvents;
let errors: unknown[];
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-notify-"));
  cleanups.push(async () => await rm(dir, { recursive: true }));
  // Whichever runs by then, and after whatever uses it.
  cleanups.push(async () => await redis.stop());
  await startRedis();
  events = new TaskEvents();
  errors = [];
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startRedis(): Promise<void> {
  redis = new EmbeddedRedis(dir, childEnvironment());
  await redis.start();
}

async function receiverOf(...answers: readonly Answer[]): Promise<Receiver> {
  const receiver = await startReceiver(...answers);
  cleanups.push(async () => await receiver.close());
  return receiver;
}

/** A notifier that tries three times, quickly. */
async function startNotifier(
  notify: Partial<NotifierOptions["notify"]>,
  more: Partial<NotifierOptions> = {},
): Promise<Notifier> {
  const notifier = new Notifier({
    ...{ address: redis.address, workspace: "default", host: "here-1", stateDir: dir, retentionMs: 60_000 },
    notify: { webhook: null, webhookSecret: SECRET, command: null, on: ALL, ...notify },
    ...{ environment: childEnvironment(), events, now: Date.now, onError: (error) => errors.push(error) },
    ...{ tries: { attempts: 3, delayMs: 100 }, timeoutMs: 5_000, ...more },
  });
  cleanups.push(async () => await notifier.stop());
  await notifier.start();
  return notifier;
}

function reject(name: string): void {
  const task = { project: "/srv/site", name };
  events.emit({ type: "rejected", task, id: "", reason: `${name} is no task`, path: `/srv/failed/${name}` });
}

/** What stands in Redis of them. */
async function withQueue<T>(look: (queue: Queue, connection: Redis) => Promise<T>): Promise<T> {
  const connection = new Redis(redis.address.socket, { maxRetriesPerRequest: null });
  const queue = new Queue(NOTIFICATIONS_QUEUE, { connection, prefix: keyPrefix("default") });
  try {
    return await look(queue, connection);
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

const counts = async () => await withQueue(async (queue) => await queue.getJobCounts());
const bodies = ({ calls }: Receiver): Notification[] => calls.map(({ body }) => notification.parse(JSON.parse(body)));
const deliveries = ({ calls }: Receiver) => calls.map(({ headers }) => String(headers["x-ccl-queue-delivery"]));

/** A program that leaves each notification in a file of its own, after `first`. */
async function witness(first = ""): Promise<readonly string[]> {
  const script = join(dir, "witness.sh");
  await writeFile(script, `${first}\ncat > "$0.$$.part" && mv "$0.$$.part" "$0.$$.json"\n`);
  return ["sh", script];
}

async function witnessed(from = dir): Promise<Notification[]> {
  const names = (await readdir(from)).filter((name) => name.endsWith(".json") && name !== "hold.json");
  return await Promise.all(
    names.map(async (name) => notification.parse(JSON.parse(await readFile(join(from, name), "utf8")))),
  );
}

describe("a failed task", () => {
  test("is told to both targets, once each, by one job each", async () => {
    const receiver = await receiverOf(204);
    await startNotifier({ webhook: receiver.url, command: await witness() });
    const before = Date.now();
    reject("x.md");
    await until("the webhook is called", () => receiver.calls.length === 1);
    const [file] = await until("the command has run", async () => (await witnessed()).length === 1 && witnessed());
    const [called] = bodies(receiver);
    expect(called).toMatchObject({
      ...{ event: "failed", workspace: "default", host: "here-1", message: "TASK_INVALID: x.md is no task" },
      task: { id: null, task: "site/x.md", project: "/srv/site", path: "/srv/failed/x.md" },
    });
    expect(Date.parse(called?.at ?? "")).toBeGreaterThanOrEqual(before);
    expect({ ...file, delivery: null }).toEqual({ ...called, delivery: null });
    expect(called?.delivery).toMatch(/^[\da-f-]{36}-webhook$/);
    expect(file?.delivery).toBe(called?.delivery.replace("webhook", "command"));
    expect(deliveries(receiver)).toEqual([called?.delivery]);
    await until("both jobs are over", async () => (await counts())["completed"] === 2);
    const names = await withQueue(async (queue) => (await queue.getCompleted()).map((job) => job.name).sort());
    expect(names).toEqual(["failed: site/x.md to the command", "failed: site/x.md to the webhook"]);
    expect(errors).toEqual([]);
  });

  test("is told again under the same id until the receiver takes it", async () => {
    const receiver = await receiverOf(500, 429, 200);
    await startNotifier({ webhook: receiver.url });
    reject("x.md");
    await until("it was taken", async () => (await counts())["completed"] === 1);
    expect(receiver.calls).toHaveLength(3);
    expect(new Set(deliveries(receiver)).size).toBe(1);
    expect(new Set(receiver.calls.map(({ body }) => body)).size).toBe(1);
    expect(errors).toEqual([]);
  });

  test("is not told again to a receiver that refuses it, which is an error once", async () => {
    const receiver = await receiverOf(400);
    await startNotifier({ webhook: receiver.url });
    reject("x.md");
    const [error] = await until("it is given up", () => errors.length > 0 && errors);
    expect((await counts())["failed"]).toBe(1);
    expect(receiver.calls).toHaveLength(1);
    expect(error).toBeInstanceOf(QueueError);
    expect(error).toMatchObject({ code: "NOTIFY_FAILED" });
    expect(String(error)).toMatch(/not delivered to http:\/\/127\.0\.0\.1:\d+ in 1 try: it answered 400$/);
  });

  test("is given up after the last try, with one error, and holds up no other target", async () => {
    const receiver = await receiverOf(503);
    await startNotifier({ webhook: receiver.url, command: await witness() });
    reject("x.md");
    await until("it is given up", () => errors.length > 0);
    expect(receiver.calls).toHaveLength(3);
    await until("the command is over", async () => (await counts())["completed"] === 1);
    expect(await witnessed()).toHaveLength(1);
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toMatch(/"site\/x\.md: rejected: .* in 3 tries: it answered 503$/);
    expect(await counts()).toMatchObject({ failed: 1, completed: 1, delayed: 0, waiting: 0, active: 0 });
  });

  test("leaves neither the secret nor the rest of the URL in Redis or an error", async () => {
    const receiver = await receiverOf(400);
    await startNotifier({ webhook: receiver.url, command: ["sh", "-c", "exit 1", "T0KEN"] });
    reject("x.md");
    await until("both are given up", () => errors.length === 2);
    expect(receiver.calls[0]?.path).toContain("T0KEN");
    const stored = await withQueue(async (_queue, connection) => await everything(connection));
    expect(stored).toContain("x.md is no task");
    const told = errors.map((error) => (error instanceof QueueError ? `${error.stack} ${error.hint}` : String(error)));
    expect(stored + told.join()).not.toMatch(/T0KEN|s3cret/);
  });
});

/** All values in Redis, as text. */
async function everything(connection: Redis): Promise<string> {
  const keys = await connection.keys("*");
  const values = keys.map(async (key) =>
    (await connection.type(key)) === "hash" ? await connection.hgetall(key) : key,
  );
  return JSON.stringify([keys, await Promise.all(values)]);
}

describe("a command", () => {
  test("is run again when it fails, and other targets are not told again", async () => {
    const receiver = await receiverOf(200);
    const command = await witness('if mkdir "$0.tried"; then exit 3; fi');
    await startNotifier({ webhook: receiver.url, command });
    reject("x.md");
    await until("it ran again", async () => (await witnessed()).length === 1);
    await until("all is over", async () => (await counts())["completed"] === 2);
    expect(receiver.calls).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test("does not wait for a webhook that hangs", async () => {
    const receiver = await receiverOf("never");
    await startNotifier({ webhook: receiver.url, command: await witness() });
    reject("x.md");
    await until("the command has run", async () => (await witnessed()).length === 1);
    expect([receiver.calls.length, receiver.brokenOff()]).toEqual([1, 0]);
  });

  test("that hangs is ended and tried again", async () => {
    await startNotifier({ command: ["sleep", "60"] }, { timeoutMs: 300 });
    reject("x.md");
    await until("the command is given up", () => errors.length === 1);
    expect(String(errors[0])).toMatch(/to notify\.command in 3 tries: not over within 300 ms$/);
  });
});

describe("over a restart", () => {
  test("nothing is lost: what was to be tried again, under way or only just told is delivered by the next", async () => {
    const receiver = await receiverOf(500, "never", 200);
    const first = await startNotifier({ webhook: receiver.url }, { tries: { attempts: 3, delayMs: 1_000 } });
    reject("again.md");
    await until("it is put off", async () => (await counts())["delayed"] === 1);
    reject("under-way.md");
    await until("it is under way", () => receiver.calls.length === 2);
    reject("told.md");
    await first.stop();
    expect(errors).toEqual([]);

    await startNotifier({ webhook: receiver.url });
    await until("all are delivered", async () => (await counts())["completed"] === 3);
    const names = bodies(receiver).map(({ task }) => task?.task);
    expect(names.slice(0, 2)).toEqual(["site/again.md", "site/under-way.md"]);
    // The last may have been under way as well when the first stopped.
    expect(new Set(names.slice(2))).toEqual(new Set(["site/again.md", "site/told.md", "site/under-way.md"]));
    expect(new Set(deliveries(receiver)).size).toBe(3);
    expect(errors).toEqual([]);
  });

  test("a try that the stop cut short is not counted", async () => {
    const receiver = await receiverOf("never");
    for (let start = 1; start <= 3; start += 1) {
      const notifier = await startNotifier({ webhook: receiver.url }, { tries: { attempts: 1, delayMs: 100 } });
      if (start === 1) reject("x.md");
      await until("it is under way", () => receiver.calls.length === start);
      await notifier.stop();
    }
    expect(await counts()).toMatchObject({ failed: 0, completed: 0 });
    expect(errors).toEqual([]);
  });

  test("what a killed daemon had under way is delivered", async () => {
    const receiver = await receiverOf(503, 200);
    const first = await startNotifier({ webhook: receiver.url }, { tries: { attempts: 3, delayMs: 60_000 } });
    reject("x.md");
    await until("it is put off", async () => (await counts())["delayed"] === 1);
    await first.stop();
    await withQueue(async (queue, connection) => {
      const [job] = await queue.getDelayed();
      await job?.promote();
      // Who takes a job and does nothing more is as good as killed.
      const killed = new Worker(queue.name, null, { connection, prefix: keyPrefix("default"), lockDuration: 100 });
      expect((await killed.getNextJob("killed"))?.id).toBe(job?.id);
      await killed.close();
    });
    expect((await counts())["active"]).toBe(1);
    await startNotifier({ webhook: receiver.url });
    await until("it is delivered", async () => (await counts())["completed"] === 1, 25_000);
    expect(new Set(deliveries(receiver)).size).toBe(1);
    expect(errors).toEqual([]);
  });

  test("what was for a target that is gone is given up, and says so", async () => {
    const receiver = await receiverOf("never");
    const first = await startNotifier({ webhook: receiver.url });
    reject("x.md");
    await until("it is under way", () => receiver.calls.length === 1);
    await first.stop();
    await startNotifier({ command: ["true"] });
    await until("it is given up", () => errors.length === 1);
    expect(String(errors[0])).toMatch(/to its target in 1 try: notify\.webhook is no longer configured$/);
  });
});

describe("a hold", () => {
  test("is told when it begins, when it is made longer, and when it is over", async () => {
    const receiver = await receiverOf(200);
    const notifier = await startNotifier({ webhook: receiver.url });
    for (const [count, hold] of [HOLD, { ...HOLD, untilMs: 3_000_000 }, null].entries()) {
      notifier.hold(hold);
      await until("it is told", () => receiver.calls.length === count + 1);
    }
    expect(bodies(receiver).map(({ event, hold }) => [event, hold?.until ?? null])).toEqual([
      ["hold", "1970-01-01T00:33:20.000Z"],
      ["hold", "1970-01-01T00:50:00.000Z"],
      ["hold", null],
    ]);
    expect(receiver.calls.map(({ headers }) => headers["x-ccl-queue-event"])).toEqual(["hold", "hold", "hold"]);
  });

  test("that a restart takes up again is not told again, and its end is", async () => {
    const receiver = await receiverOf(200);
    const first = await startNotifier({ webhook: receiver.url });
    first.hold(HOLD);
    await until("it is delivered", async () => (await counts())["completed"] === 1);
    await first.stop();
    const second = await startNotifier({ webhook: receiver.url });
    second.hold(HOLD);
    second.hold(null);
    await until("its end is delivered", async () => (await counts())["completed"] === 2);
    expect(bodies(receiver).map(({ hold }) => hold?.kind ?? null)).toEqual(["limit", null]);
  });
});

test("only what notify.on names is told", async () => {
  const receiver = await receiverOf(200);
  const notifier = await startNotifier({ webhook: receiver.url, on: ["hold"] });
  reject("x.md");
  notifier.hold(HOLD);
  await until("the hold is told", async () => (await counts())["completed"] === 1);
  expect(bodies(receiver).map(({ event }) => event)).toEqual(["hold"]);
  expect(await counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, failed: 0 });
});

test("without a target nothing is kept in Redis, and nobody listens", async () => {
  const notifier = await startNotifier({});
  reject("x.md");
  notifier.hold(HOLD);
  await notifier.stop();
  expect(await withQueue(async (_queue, connection) => await connection.keys(`*:${NOTIFICATIONS_QUEUE}:*`))).toEqual(
    [],
  );
  expect(errors).toEqual([]);
});

test("a job that is not ours is given up, and the next one is delivered", async () => {
  const receiver = await receiverOf(200);
  await startNotifier({ webhook: receiver.url });
  await withQueue(async (queue) => await queue.add("odd", { target: "webhook", notification: { event: "x" } }));
  await until("it is given up", () => errors.length === 1);
  expect(errors[0]).toMatchObject({ code: "NOTIFY_FAILED", message: expect.stringContaining("not one of ours") });
  reject("x.md");
  await until("the next is delivered", () => receiver.calls.length === 1);
});

test("a Redis that is away delays nobody who has something to tell, and is told of it once it is back", async () => {
  const receiver = await receiverOf(200);
  await startNotifier({ webhook: receiver.url });
  await redis.stop();
  const before = performance.now();
  reject("x.md");
  expect(performance.now() - before).toBeLessThan(100);
  await startRedis();
  await until("it is told all the same", () => receiver.calls.length === 1);
});

test("a whole queue tells what becomes of its tasks, what needs a person, and its hold", async () => {
  const tell = 'cat > "told.$$.part" && mv "told.$$.part" "told.$$.json"';
  const notify = { command: ["sh", "-c", tell], on: ALL };
  const pool = { autonomous: { min: 2, max: 2 } };
  const queue = await startQueue({ yaml: `pool: ${JSON.stringify(pool)}\nnotify: ${JSON.stringify(notify)}` });
  cleanups.push(async () => await queue.stop());
  const told = async () => await witnessed(queue.config.stateDir);
  const toldOf = async (name: string) => (await told()).find(({ task }) => task?.task === `alpha/${name}`);

  await queue.drop("does.md", "task\n");
  await queue.drop("asks.md", "agent: ask Which one?\n");
  await queue.drop("empty.md", "---\ntitle: x\n---\n");
  const done = await until("done is told", async () => await toldOf("does.md"));
  const asks = await until("the question is told", async () => await toldOf("asks.md"));
  const empty = await until("the rejection is told", async () => await toldOf("empty.md"));
  const id = queue.events.find(({ type, task }) => type === "done" && task.name === "does.md")?.id;
  const path = join(queue.project, ".agent-queue", "done", "does.md");
  expect(done).toMatchObject({ event: "done", task: { id, path }, spent: { model: "sonnet" }, message: null });
  expect(done.session).toMatch(/^ccl-auto-1[12]$/);
  expect(asks).toMatchObject({ event: "attention", session: expect.stringMatching(/^ccl-auto-1[12]$/) });
  expect(empty).toMatchObject({ event: "failed", message: expect.stringMatching(/^TASK_INVALID: /) });

  await queue.drop("limited.md", "agent: fail rate_limit\n");
  const hold = await until("the hold is told", async () => (await told()).find(({ event }) => event === "hold"));
  expect(hold.hold).toMatchObject({ kind: "limit", until: new Date(queue.holds[0]?.untilMs ?? 0).toISOString() });
  expect(queue.errors).toEqual([]);
});
