import { describe, test } from "vitest";
import { delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const MINUTE_MS = 60_000;
const TASKS = 30;

test.concurrent("a platform that is down for ten minutes fails nothing: its tasks come home when it is back", async ({
  expect,
  onTestFinished,
}) => {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const delegation = await startDelegation({
    now,
    more: "concurrency: 5, max_age: 5m",
    platform: { now, delayMs: [1 * MINUTE_MS, 9 * MINUTE_MS] },
  });
  onTestFinished(delegation.stop);
  const { queue, platform } = delegation;
  const names = Array.from({ length: TASKS }, (_, index) => `task-${String(index).padStart(2, "0")}.md`);
  for (const name of names) await queue.drop(name, delegable(`Do ${name}.`));
  await until("all are out", () => delegation.events("delegated").length === TASKS);
  const inbox = await queue.names("inbox");

  platform.pause();
  for (let minute = 2; minute <= 10; minute += 2) {
    const before = queue.errors.length;
    aheadMs += 2 * MINUTE_MS;
    await until(`it was asked in vain, minute ${minute}`, () => queue.errors.length >= before + 5);
  }
  expect(delegation.errorCodes()).toEqual(["SECUTOOLS_UNREACHABLE"]);
  // One look at a platform that is down does not ask about each task in turn.
  expect(queue.errors.length).toBeLessThan(5 * TASKS);
  expect(await queue.names("inbox")).toEqual(inbox);
  expect(await queue.names("failed")).toEqual([]);
  expect(await queue.names("done")).toEqual([]);

  platform.resume();
  expect(await queue.settled("done", TASKS)).toEqual(names);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.names("failed")).toEqual([]);
  expect(platform.stats()).toMatchObject({
    accepted: TASKS,
    replays: 0,
    duplicates: 0,
    requests: { POST: { "201": TASKS } },
  });
  expect(delegation.asked("DELETE")).toBe(0);
  expect(row(await queue.read("done", "task-00.md"), "duration")).toMatch(/^1\d min/);
});

describe.concurrent("a stop while the platform hangs", () => {
  test("takes less than 2 s, and the next start finishes what was being asked and submitted, once", async (context) => {
    const { expect } = context;
    const delegation = await startDelegation({ platform: { delayMs: 0 } });
    context.onTestFinished(delegation.stop);
    const { queue, platform, gate } = delegation;
    gate.hold("GET", "answer");
    await queue.drop("out.md", delegable("Do it."));
    await until("it is asked about", () => gate.held() === 1);
    gate.hold("POST", "answer");
    await queue.drop("accepted.md", delegable("Do it too."));
    await until("it is accepted, and nobody knows", () => gate.held() === 2);
    const startedMs = performance.now();
    await queue.app.stop();
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(await queue.names("inbox")).toEqual(["accepted.md", "accepted.md.delegated", "out.md", "out.md.delegated"]);

    gate.release();
    await queue.app.start();
    expect(await queue.settled("done", 2)).toEqual(["accepted.md", "out.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 2, replays: 1, duplicates: 0 });
    await until("their ends are told", () => delegation.events("done").length >= 2);
    expect(delegation.events("done")).toHaveLength(2);
    for (const name of ["accepted.md", "out.md"])
      expect(row(await queue.read("done", name), "provider")).toMatch(/^gemini /);
  });

  test("the same with a request that never reached it", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ platform: { delayMs: 0 } });
    onTestFinished(delegation.stop);
    const { queue, platform, gate } = delegation;
    gate.hold("POST", "question");
    for (const name of ["a.md", "b.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    await until("both are being submitted", () => gate.held() === 2);
    const startedMs = performance.now();
    await queue.app.stop();
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    gate.release();
    await queue.app.start();
    expect(await queue.settled("done", 2)).toEqual(["a.md", "b.md"]);
    expect(platform.stats()).toMatchObject({ accepted: 2, replays: 0, duplicates: 0 });
  });
});
