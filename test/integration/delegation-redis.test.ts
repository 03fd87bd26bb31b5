import { Queue } from "bullmq";
import { describe, test } from "vitest";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const PREFIX = "{ccl-queue:default}";
const MINUTE_MS = 60_000;

/** Looks at the queue of the reaper's ticks as another program would. */
async function withTicks<T>(delegation: Delegation, use: (queue: Queue) => Promise<T>): Promise<T> {
  return await delegation.withRedis(async (connection) => {
    const queue = new Queue("reaper", { connection, prefix: PREFIX });
    try {
      return await use(queue);
    } finally {
      await queue.close();
    }
  });
}

/** How many ticks of the schedule, not those asked for besides, were over since then. */
const ticksSince = async (delegation: Delegation, timeMs: number) =>
  await withTicks(delegation, async (queue) => {
    const jobs = await queue.getCompleted();
    return jobs.filter(({ id, finishedOn }) => id?.startsWith("repeat:") && (finishedOn ?? 0) > timeMs).length;
  });

describe.concurrent("when Redis loses everything", () => {
  test("while a task is being submitted, it is submitted again under the same key, by the next daemon too", async (context) => {
    const { expect, onTestFinished } = context;
    const delegation = await startDelegation({ platform: { delayMs: 500 } });
    onTestFinished(delegation.stop);
    const { queue, platform, gate } = delegation;
    gate.hold("POST", "answer");
    await queue.drop("x.md", delegable("Do it."));
    await until("the platform has it, and the queue does not know", () => platform.stats().accepted === 1);
    expect(await queue.names("inbox")).toEqual(["x.md", "x.md.delegated"]);
    expect(await delegation.markers()).toEqual([]);
    await delegation.withRedis(async (redis) => await redis.flushdb());
    await queue.app.stop();
    gate.release();
    await queue.app.start();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 1, duplicates: 0 });
    expect(await queue.names("done")).toEqual(["x.md"]);
  });

  test("but the start of a submission, what is out comes home all the same", async ({ expect, onTestFinished }) => {
    let clockMs = Date.now();
    const delegation = await startDelegation({ platform: { delayMs: 10 * MINUTE_MS, now: () => clockMs } });
    onTestFinished(delegation.stop);
    const { queue, platform } = delegation;
    await queue.drop("x.md", delegable("Do it."));
    await until("it is out", () => delegation.events("delegated").length === 1);
    await delegation.withRedis(async (redis) => {
      const key = `${PREFIX}:delegated:${delegation.events("delegated")[0]?.id}`;
      const data = async () => JSON.parse((await redis.hget(key, "data")) ?? "{}");
      await until("Redis knows that", async () => (await data()).remote !== null);
      // As it was a moment before.
      await redis.hset(key, "data", JSON.stringify({ ...(await data()), remote: null }));
    });
    clockMs += 10 * MINUTE_MS;
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 0, duplicates: 0 });
  });

  test("all 50 tasks that are out come home, and none is submitted again", async ({ expect, onTestFinished }) => {
    let clockMs = Date.now();
    const delegation = await startDelegation({
      sweep: "1s",
      platform: { delayMs: 10 * MINUTE_MS, now: () => clockMs },
    });
    onTestFinished(delegation.stop);
    const { queue, platform } = delegation;
    const names = Array.from({ length: 50 }, (_, index) => `task-${String(index).padStart(2, "0")}.md`);
    for (const name of names) await queue.drop(name, delegable(`Do ${name}.`));
    await until("all are out", () => delegation.events("delegated").length === 50);
    const active = async () =>
      await delegation.withRedis(async (redis) => await redis.llen(`${PREFIX}:delegated:active`));
    await until("Redis knows that", async () => (await active()) === 50);

    await delegation.withRedis(async (redis) => await redis.flushdb());
    await until("the sweep has given them jobs again", async () => (await active()) === 50);
    clockMs += 10 * MINUTE_MS;
    await queue.settled("done", 50);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);

    expect(await queue.names("done")).toEqual(names);
    expect(await queue.names("failed")).toEqual([]);
    expect(platform.stats()).toMatchObject({
      accepted: 50,
      replays: 0,
      duplicates: 0,
      requests: { POST: { "201": 50 } },
    });
    const ids = new Map(platform.jobs().map(({ id, submission }) => [submission.metadata.task, id]));
    for (const name of names) expect(row(await queue.read("done", name), "provider")).toBe(`gemini (${ids.get(name)})`);
    expect(delegation.events("cancelled")).toEqual([]);
    expect(delegation.errorCodes().filter((code) => code.startsWith("SECUTOOLS_"))).toEqual([]);
  });

  test("a task that is being submitted is not submitted a second time", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ sweep: "500ms" });
    onTestFinished(delegation.stop);
    const { queue, platform, gate } = delegation;
    gate.hold("POST", "answer");
    await queue.drop("x.md", delegable("Do it."));
    await until("it is accepted, and nobody knows", () => gate.held() === 1);
    await delegation.withRedis(async (redis) => await redis.flushdb());
    await until("the sweep has found its marker", () => delegation.events("restored").length === 1);
    gate.release();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 1, duplicates: 0 });
    expect(row(await queue.read("done", "x.md"), "provider")).toBe(`gemini (${platform.jobs()[0]?.id})`);
    await until("their ends are told", () => delegation.events("done").length >= 1);
    expect(delegation.events("done")).toHaveLength(1);
    expect(delegation.events("seen")).toHaveLength(1);
    expect(delegation.events("cancelled")).toEqual([]);
  });
});

describe.concurrent("the schedule of ticks", () => {
  test("is made again when Redis has lost it", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ poll: "200ms" });
    onTestFinished(delegation.stop);
    await until("it ticks", async () => (await ticksSince(delegation, 0)) > 0);
    expect(await withTicks(delegation, async (queue) => await queue.removeJobScheduler("ticks"))).toBe(true);
    const lostAtMs = Date.now();
    await until("it ticks again", async () => (await ticksSince(delegation, lostAtMs)) >= 3);
    expect(await withTicks(delegation, async (queue) => await queue.getJobSchedulers())).toHaveLength(1);
  });

  test("goes on when it stands still: its next tick is in the past, and no job stands for it", async (context) => {
    const { expect } = context;
    const delegation = await startDelegation({ poll: "200ms" });
    context.onTestFinished(delegation.stop);
    await until("it ticks", async () => (await ticksSince(delegation, 0)) > 0);
    const stoodAtMs = await until("it stands still", async () => {
      await delegation.withRedis(async (redis) => {
        await redis.del(`${PREFIX}:reaper:delayed`, `${PREFIX}:reaper:wait`, `${PREFIX}:reaper:prioritized`);
        await redis.zadd(`${PREFIX}:reaper:repeat`, Date.now() - 10_000, "ticks");
      });
      const counts = await withTicks(delegation, async (queue) => await queue.getJobCounts());
      return counts["waiting"] === 0 && counts["active"] === 0 && counts["delayed"] === 0 && Date.now();
    });
    await until("it ticks again", async () => (await ticksSince(delegation, stoodAtMs)) >= 3);
    expect(await withTicks(delegation, async (queue) => await queue.getJobSchedulers())).toHaveLength(1);
  });

  test("does not pile up while a tick hangs", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ poll: "100ms", platform: { delayMs: 0 } });
    onTestFinished(delegation.stop);
    const { queue, gate } = delegation;
    gate.hold("GET", "answer");
    await queue.drop("a.md", delegable("Do it."));
    await until("a tick hangs", () => gate.held() === 1);
    const hungAtMs = Date.now();
    await until("ten more were due", () => Date.now() - hungAtMs > 1_000);
    const { waiting = 0, active } = await withTicks(delegation, async (reaper) => await reaper.getJobCounts());
    expect(active).toBe(1);
    expect(waiting).toBeLessThanOrEqual(2);
    gate.release();
    await queue.settled("done", 1);
  });
});
