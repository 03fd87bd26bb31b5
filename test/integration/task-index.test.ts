import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PRIORITIES, TASK_STATES, type TaskState } from "../../src/core/task.ts";
import { keyPrefix } from "../../src/queue/names.ts";
import {
  cancelledEnding,
  type DelegatedPayload,
  type Ending,
  type LocalPayload,
  type TaskPayload,
} from "../../src/queue/payload.ts";
import type { TaskIndex } from "../../src/queue/task-index.ts";
import { type BareQueues, delegatedTask, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

const HOUR_MS = 3_600_000;
const SPENT = { durationMs: 5, model: "opus", tokens: { input: 1, output: 2 }, costUsd: 0.5 };
const ended = (result: Ending["result"]): Ending => ({
  result,
  path: `/srv/${result}`,
  by: "ccl-auto-11",
  spent: SPENT,
});

/** Hands a task in; returns its id. */
async function enter(task: TaskPayload): Promise<string> {
  const [enqueued] = await bare.queues.enqueue([{ payload: task, id: null }]);
  expect(enqueued?.state).toBe("new");
  return enqueued?.id ?? "";
}

/** Takes the next job out of the inbox queue and moves it on, as the routing worker does. */
async function route(to: (id: string, task: TaskPayload) => Promise<void>): Promise<string> {
  const job = await bare.inbox.fetch();
  if (job === null) throw new Error("nothing waits in the inbox queue");
  await to(job.id, job.payload);
  await bare.inbox.complete(job.id, cancelledEnding);
  return job.id;
}

async function local(task: TaskPayload, more: Partial<LocalPayload> = {}): Promise<string> {
  await enter(task);
  return await route(async (id, routed) => await bare.queues.toLocal([{ id, payload: localTask(routed, more) }]));
}

async function delegated(task: TaskPayload, more: Partial<DelegatedPayload> = {}): Promise<string> {
  await enter(task);
  return await route(
    async (id, routed) => await bare.queues.toDelegated([{ id, payload: delegatedTask(routed, more) }]),
  );
}

/** A task that is held by a worker. */
async function running(name: string): Promise<string> {
  const id = await local(payload(name));
  expect((await bare.local.fetch())?.id).toBe(id);
  return id;
}

async function out(name: string): Promise<string> {
  const id = await delegated(payload(name));
  expect((await bare.delegated.fetch())?.id).toBe(id);
  return id;
}

const names = async (...states: TaskState[]) => (await bare.index.list(states)).map(({ task }) => task.name);
const shown = async () =>
  (await bare.index.list(TASK_STATES)).map(({ task, state, queue }) => `${task.name} ${state} ${queue}`);

describe("a task is listed", () => {
  const WAYS: Readonly<Record<string, [state: TaskState, make: () => Promise<unknown>]>> = {
    "in the inbox queue": ["waiting", async () => await enter(payload("x.md"))],
    "while it is routed": ["waiting", async () => [await enter(payload("x.md")), await bare.inbox.fetch()]],
    "that waits for a session": ["waiting", async () => await local(payload("x.md"))],
    "that waits for the platform": ["waiting", async () => await delegated(payload("x.md"))],
    "that is tried again later": ["delayed", async () => await bare.local.putBack(await running("x.md"), HOUR_MS)],
    "that is submitted again later": ["delayed", async () => await bare.delegated.putBack(await out("x.md"), HOUR_MS)],
    "that waits once more": ["waiting", async () => await bare.local.putBack(await running("x.md"))],
    "that runs": ["running", async () => await running("x.md")],
    "that is out": ["delegated", async () => await out("x.md")],
    "that is done": ["done", async () => await bare.local.complete(await running("x.md"), ended("done"))],
    "that the platform has done": ["done", async () => await bare.delegated.complete(await out("x.md"), ended("done"))],
    "that failed": [
      "failed",
      async () => await bare.local.fail(await running("x.md"), new Error("no"), ended("failed")),
    ],
    "that failed with the platform": [
      "failed",
      async () => await bare.delegated.fail(await out("x.md"), new Error("no"), ended("failed")),
    ],
    "that was cancelled while it ran": [
      "cancelled",
      async () => await bare.local.complete(await running("x.md"), ended("cancelled")),
    ],
  };

  test.each(Object.entries(WAYS))(
    "%s, in its state, in no other, and is found by its id",
    async (_what, [state, make]) => {
      await make();
      for (const other of TASK_STATES) expect(await names(other)).toEqual(other === state ? ["x.md"] : []);
      const [row, ...others] = await bare.index.list(TASK_STATES);
      expect(others).toEqual([]);
      expect(row).toMatchObject({ state, task: { project: "/srv/alpha", name: "x.md" } });
      expect(await bare.index.find(row?.id ?? "")).toEqual([row]);
      expect(await bare.index.find((row?.id ?? "").slice(0, 3))).toEqual([row]);
      expect(await bare.index.first([state], 5)).toEqual({ total: 1, rows: [row] });
    },
  );

  test("with what became of it", async () => {
    await bare.local.fail(await running("x.md"), new Error("RUN_CRASHED: exit code 1"), ended("failed"));
    const [row] = await bare.index.list(["failed"]);
    expect(row).toMatchObject({ error: "RUN_CRASHED: exit code 1", ending: ended("failed"), reason: "it is local" });
    expect(row?.finishedAtMs).toBeGreaterThanOrEqual(row?.startedAtMs ?? Number.NaN);
    expect(row?.startedAtMs).toBeGreaterThanOrEqual(row?.enqueuedAtMs ?? Number.NaN);
  });

  test("no more once its file was taken away", async () => {
    await local(payload("x.md"));
    expect(await bare.queues.cancel(payload("x.md"))).not.toBeNull();
    expect(await shown()).toEqual([]);
  });
});

describe("a task that the platform would not take", () => {
  /** It has its job in the local queue before the other one is over. */
  async function fallBack(): Promise<string> {
    const id = await out("x.md");
    await bare.queues.toLocal([{ id, payload: localTask(payload("x.md")) }]);
    return id;
  }

  test("is one task while it changes over", async () => {
    await fallBack();
    expect(await shown()).toEqual(["x.md waiting local"]);
  });

  test("is seen wherever it stands afterwards", async () => {
    const id = await fallBack();
    await bare.delegated.discard(id);
    expect(await shown()).toEqual(["x.md waiting local"]);
    await bare.local.fetch();
    expect(await shown()).toEqual(["x.md running local"]);
    expect(await bare.index.find(id)).toHaveLength(1);
    await bare.local.complete(id, ended("done"));
    expect(await shown()).toEqual(["x.md done local"]);
  });

  test("is counted once", async () => {
    const id = await fallBack();
    await bare.delegated.discard(id);
    await bare.local.fetch();
    await bare.local.complete(id, ended("done"));
    const { total, rows } = await bare.index.first(["done", "failed", "cancelled"], 5);
    expect(rows).toHaveLength(1);
    expect(total).toBe(1);
  });
});

describe("the order is", () => {
  test("for those that wait, the one in which they will run", async () => {
    const order = ["low-1", "default-1", "critical-1", "high-1", "low-2", "critical-2", "default-2", "high-2"];
    for (const name of order) {
      const priority = PRIORITIES.find((level) => name.startsWith(level)) ?? "default";
      await local(payload(name, { priority }));
    }
    const expected = PRIORITIES.flatMap((level) => [`${level}-1`, `${level}-2`]);
    expect(await names("waiting")).toEqual(expected);
    expect((await bare.index.first(["waiting"], 50)).rows.map(({ task }) => task.name)).toEqual(expected);
    expect((await bare.index.first(["waiting"], 3)).rows.map(({ task }) => task.name)).toEqual(expected.slice(0, 3));
    const ran = [];
    for (const _ of order) ran.push((await bare.local.fetch())?.payload.name);
    expect(ran).toEqual(expected);
  });

  test("for those that have just come in, the same", async () => {
    for (const priority of ["low", "critical", "default"] as const)
      for (const number of [1, 2]) await enter(payload(`${priority}-${number}`, { priority }));
    expect(await names("waiting")).toEqual(
      ["critical", "default", "low"].flatMap((level) => [`${level}-1`, `${level}-2`]),
    );
  });

  test("by urgency also for those that have come to different queues", async () => {
    await local(payload("local.md", { priority: "high" }));
    await delegated(payload("delegated.md", { priority: "critical" }));
    await enter(payload("inbox.md", { priority: "low" }));
    const expected = ["delegated.md", "local.md", "inbox.md"];
    expect(await names("waiting")).toEqual(expected);
    expect((await bare.index.first(["waiting"], 2)).rows.map(({ task }) => task.name)).toEqual(expected.slice(0, 2));
  });

  test("for those that are over, the last first, whatever became of them", async () => {
    const ends = [];
    for (const [index, result] of (["done", "failed", "cancelled", "done", "failed"] as const).entries()) {
      const id = await (index % 2 === 0 ? running : out)(`${index}.md`);
      const fetcher = index % 2 === 0 ? bare.local : bare.delegated;
      if (result === "failed") await fetcher.fail(id, new Error("no"), ended(result));
      else await fetcher.complete(id, ended(result));
      ends.unshift(`${index}.md`);
      const ms = Date.now();
      await until("time goes on", () => Date.now() > ms);
    }
    expect(await names("done", "failed", "cancelled")).toEqual(ends);
    expect(await bare.index.first(["done", "failed", "cancelled"], 2)).toMatchObject({
      ...{ total: 5, rows: [{ task: { name: "4.md" } }, { task: { name: "3.md" } }] },
    });
  });

  test("for all: what runs, what is out, what waits, what is put off, what is over", async () => {
    await bare.local.complete(await running("done.md"), ended("done"));
    await bare.local.putBack(await running("delayed.md"), HOUR_MS);
    await out("out.md");
    await running("running.md");
    await local(payload("waiting.md"));
    expect(await names(...TASK_STATES)).toEqual(["running.md", "out.md", "waiting.md", "delayed.md", "done.md"]);
  });
});

test("one that goes on to the next queue is counted once", async () => {
  const id = await enter(payload("x.md"));
  await bare.inbox.fetch();
  await bare.queues.toLocal([{ id, payload: localTask(payload("x.md")) }]);
  expect(await bare.index.first(["waiting"], 5)).toMatchObject({ total: 1, rows: [{ id, queue: "local" }] });
});

test("so many are shown as are asked for, and all are counted", async () => {
  for (let index = 0; index < 7; index += 1) await local(payload(`${index}.md`));
  expect(await bare.index.first(["waiting"], 3)).toMatchObject({ total: 7 });
  expect((await bare.index.first(["waiting"], 3)).rows).toHaveLength(3);
  expect(await bare.index.first(["running"], 3)).toEqual({ total: 0, rows: [] });
});

describe("of those that are asked for by a tag or a project", () => {
  const names = async (wanted: Parameters<TaskIndex["page"]>[3], limit = 10) => {
    const { total, rows } = await bare.index.page(["waiting"], 0, limit, wanted);
    return [total, ...rows.map(({ task }) => `${task.project}/${task.name}`)];
  };

  test.each(["night", 'with "quotes"', "with \\\\", "東京", "a\nb"])(
    "all with %j are found, and no other",
    async (tag) => {
      await enter(payload("one.md", { tags: ["other", tag] }));
      await enter(payload("title.md", { title: tag, tags: [`${tag}s`] }));
      await enter(payload("two.md", { tags: [tag] }));
      expect(await names({ tag })).toEqual([2, "/srv/alpha/one.md", "/srv/alpha/two.md"]);
      expect(await names({ tag }, 1)).toEqual([2, "/srv/alpha/one.md"]);
      expect(await names({ tag: "nobody's" })).toEqual([0]);
    },
  );

  test("a name means every project of that name, a path that one alone", async () => {
    for (const project of ["/srv/alpha", "/home/alpha", "/srv/alphabet"]) await enter(payload("x.md", {}, project));
    expect(await names({ project: "alpha" })).toEqual([2, "/srv/alpha/x.md", "/home/alpha/x.md"]);
    expect(await names({ project: "/home/alpha" })).toEqual([1, "/home/alpha/x.md"]);
    expect(await names({ project: "/home/alpha", tag: "night" })).toEqual([0]);
  });
});

describe("what cannot be read", () => {
  test("is left out, and the others are listed", async () => {
    const broken = [];
    for (const name of ["data", "time", "gone", "kind", "late"]) broken.push(await local(payload(`${name}.md`)));
    await local(payload("good.md"));
    const key = (id = "") => `${keyPrefix("w")}:local:${id}`;
    await bare.redis.hset(key(broken[0]), "data", "{");
    await bare.redis.hset(key(broken[1]), "timestamp", "soon");
    await bare.redis.del(key(broken[2]));
    await bare.redis.set(key(broken[3]), "a string");
    await bare.redis.hset(key(broken[4]), "data", JSON.stringify({ ...payload("late.md"), header: {} }));
    expect(await names(...TASK_STATES)).toEqual(["good.md"]);
    expect((await bare.index.first(["waiting"], 10)).rows.map(({ task }) => task.name)).toEqual(["good.md"]);
    expect(await bare.index.find(broken[0] ?? "")).toEqual([]);
  });

  test("is no task of another workspace", async () => {
    await bare.redis.zadd(`${keyPrefix("other")}:local:prioritized`, 1, "kabcdefghi");
    expect(await names(...TASK_STATES)).toEqual([]);
  });
});

test("a task that moves on while all are read is never missed, nor there twice", async () => {
  const ids = new Set<string>();
  for (let index = 0; index < 20; index += 1) ids.add(await enter(payload(`${index}.md`)));
  let isOver = false;
  /** From the inbox to its end, with one retry on the way. */
  async function work(): Promise<void> {
    for (const _ of ids)
      await route(async (id, routed) => await bare.queues.toLocal([{ id, payload: localTask(routed) }]));
    for (const _ of ids) await bare.local.putBack((await bare.local.fetch())?.id ?? "", 1);
    for (let left = ids.size; left > 0; ) {
      const job = await bare.local.fetch();
      if (job === null) continue;
      await bare.local.complete(job.id, ended("done"));
      left -= 1;
    }
  }
  const worked = work().finally(() => {
    isOver = true;
  });
  const missed = new Set<string>();
  let reads = 0;
  for (; !isOver; reads += 1) {
    const found = (await bare.index.list(TASK_STATES)).map(({ id }) => id);
    expect(new Set(found).size).toBe(found.length);
    for (const id of ids) if (!found.includes(id)) missed.add(id);
  }
  await worked;
  expect(reads).toBeGreaterThan(5);
  expect([...missed]).toEqual([]);
});

describe("of ten thousand tasks", () => {
  const COUNT = 10_000;
  const LIMIT_MS = 300;

  /** What the quickest of ten takes, in ms of our own work: what else the machine does meanwhile does not count. */
  async function costMs(act: () => Promise<unknown>): Promise<number> {
    const costs = [];
    for (let round = 0; round < 10; round += 1) {
      const before = process.cpuUsage();
      await act();
      const { user, system } = process.cpuUsage(before);
      costs.push((user + system) / 1_000);
    }
    return Math.min(...costs);
  }

  test("all are listed, one is found, and the first are shown, each in a moment", async () => {
    const entries = Array.from({ length: COUNT }, (_, index) => ({ payload: payload(`${index}.md`), id: null }));
    const ids = [];
    for (let start = 0; start < COUNT; start += 1_000)
      ids.push(...(await bare.queues.enqueue(entries.slice(start, start + 1_000))));
    const last = ids.at(-1)?.id ?? "";

    expect(await bare.index.list(["waiting"])).toHaveLength(COUNT);
    expect(await bare.index.find(last)).toMatchObject([{ id: last, task: { name: `${COUNT - 1}.md` } }]);
    const first = await bare.index.first(["waiting"], 50);
    expect(first.total).toBe(COUNT);
    expect(first.rows.map(({ task }) => task.name)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}.md`));

    const costs = {
      list: await costMs(async () => await bare.index.list(TASK_STATES)),
      find: await costMs(async () => await bare.index.find(last)),
      first: await costMs(async () => await bare.index.first(["waiting"], 50)),
    };
    expect(Object.entries(costs).filter(([, ms]) => !(ms < LIMIT_MS))).toEqual([]);
  }, 60_000);
});
