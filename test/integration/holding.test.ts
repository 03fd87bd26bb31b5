import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { type Status, statusSchema } from "../../src/control/status.ts";
import { describeHold } from "../../src/core/describe-event.ts";
import { FOREVER_MS } from "../../src/core/verdict.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const LIMIT = "You've hit your 5-hour limit";
const HOUR_MS = 3_600_000;

let queue: QueueFixture;
afterEach(async () => await queue.stop());

async function start(options: FixtureOptions = {}): Promise<void> {
  queue = await startQueue(options);
}

const answer = z.strictObject({ hold: holdView.strict().nullable() });
const hold = async (message?: string) =>
  (await askDaemon(queue.config.stateDir, "POST", "/api/hold", answer, { body: { message } })).hold;
const resume = async () => (await askDaemon(queue.config.stateDir, "POST", "/api/resume", answer, { body: {} })).hold;
const status = async () => await askDaemon(queue.config.stateDir, "GET", "/watchdog/status", statusSchema);
const statusWhen = async (what: string, isSo: (found: Status) => boolean) =>
  await until(what, async () => {
    const found = await status();
    return isSo(found) && found;
  });
const waiting = async (count: number) =>
  await statusWhen(`${count} wait`, ({ queues }) => queues.local.waiting === count);
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");
const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");

/** From now on every agent meets the account's limit, until the returned function is called. */
async function limit(resetsAtMs: number): Promise<() => Promise<void>> {
  const file = join(queue.dir, "claude", "limit.json");
  await mkdir(join(queue.dir, "claude"), { recursive: true });
  await writeFile(file, JSON.stringify({ message: LIMIT, resetsAt: resetsAtMs / 1_000 }));
  return async () => await rm(file);
}

/**
 * Waits until the pool has been looked at again: by then a task that may go would have gone. A change of the hold, the
 * end of a run and a second each lead to a look, and a task is fetched in it.
 */
async function lookedAgain(): Promise<void> {
  const from = performance.now();
  await until("the pool is looked at twice", () => performance.now() - from > 2_200);
}

describe("a queue that somebody holds", () => {
  test("launches nothing, says so, and launches all once it is resumed, within two seconds", async () => {
    await start();
    expect(await hold("deploying")).toMatchObject({ kind: "manual", until: null, message: "deploying" });
    for (const name of ["a.md", "b.md"]) await queue.drop(name, `${name}\n`);
    await waiting(2);
    await lookedAgain();
    const held = await status();
    expect(held).toMatchObject({ verdict: "held", runs: [], queues: { local: { waiting: 2, active: 0 } } });
    expect(held.hold).toEqual({ kind: "manual", since: expect.any(String), until: null, message: "deploying" });
    expect(held.reasons).toEqual(["the pool is held until somebody resumes it: deploying"]);
    expect(await starts()).toEqual([]);

    const before = performance.now();
    expect(await resume()).toBeNull();
    await until("both are launched", () => queue.events.filter(({ type }) => type === "launched").length === 2);
    expect(performance.now() - before).toBeLessThan(2_000);
    await queue.settled("done", 2);
    expect(await status()).toMatchObject({ verdict: "ok", hold: null, reasons: [] });
    expect(await starts()).toHaveLength(2);
  });

  test("lets those that run go on to their end", async () => {
    await start({ sessions: 2 });
    await queue.drop("runs.md", "agent: work 2s\n");
    await until("it works", async () => (await submits()).length === 1);
    await hold();
    await queue.drop("waits.md", "waits\n");
    await queue.settled("done", 1);
    await waiting(1);
    await lookedAgain();
    expect(await queue.names("done")).toEqual(["runs.md"]);
    expect(await starts()).toHaveLength(1);
    expect((await status()).hold?.message).not.toBe("");
  });

  test("stays held when one that ran fails and is to be tried again", async () => {
    await start({ limits: "attempts: 2, backoff: 10ms" });
    await queue.drop("fails.md", "agent: work 1s\nagent: exit 3\n");
    await until("it works", async () => (await submits()).length === 1);
    await hold();
    await statusWhen("it waits again", ({ queues }) => queues.local.waiting + queues.local.delayed === 1);
    await lookedAgain();
    expect(await starts()).toHaveLength(1);
    await resume();
    await queue.settled("done", 1);
    expect(await starts()).toHaveLength(2);
  });

  test("is held by the next daemon, too, which can end it", async () => {
    await start();
    const held = await hold("Über\n東京");
    await queue.drop("a.md", "a\n");
    await waiting(1);
    await queue.app.stop();
    await queue.app.start();
    expect((await status()).hold).toEqual(held);
    await lookedAgain();
    expect(await starts()).toEqual([]);
    await resume();
    await queue.settled("done", 1);
    await queue.app.stop();
    await queue.app.start();
    expect((await status()).hold).toBeNull();
  });

  test("is told once to whoever listens, and once that it is over", async () => {
    await start();
    await hold("one");
    await hold("one");
    await resume();
    await resume();
    expect(queue.holds).toEqual([
      { kind: "manual", sinceMs: expect.any(Number), untilMs: FOREVER_MS, message: "one" },
      null,
    ]);
    expect(describeHold(queue.holds[0] ?? null)).toBe("the pool is held until somebody resumes it: one");
  });

  test("says what was said last", async () => {
    await start();
    const first = await hold("one");
    expect(await hold("two")).toEqual({ ...first, message: "two" });
  });

  test("takes tasks in, and gives them out by their urgency afterwards", async () => {
    await start({ sessions: 1 });
    await hold();
    for (const priority of ["low", "critical"])
      await queue.drop(`${priority}.md`, `---\npriority: ${priority}\n---\nx\n`);
    await waiting(2);
    await resume();
    await queue.settled("done", 2);
    const launched = queue.events.filter(({ type }) => type === "launched").map(({ task }) => task.name);
    expect(launched).toEqual(["critical.md", "low.md"]);
  });
});

test("a request that cannot be understood holds nothing", async () => {
  await start();
  for (const body of [{ message: 5 }, { other: "x" }, []]) {
    const asked = askDaemon(queue.config.stateDir, "POST", "/api/hold", answer, { body });
    await expect(asked).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  }
  expect((await status()).hold).toBeNull();
});

describe("during an account's limit", () => {
  const clock = { ms: 0 };

  /** A queue that waits for its limit's end. Returns what ends the limit. */
  async function limited(): Promise<() => Promise<void>> {
    clock.ms = Math.round(Date.now() / 1_000) * 1_000;
    await start({ now: () => clock.ms });
    const lift = await limit(clock.ms + 2 * HOUR_MS);
    await queue.drop("task.md", "task\n");
    await statusWhen("it is held", (found) => found.hold?.kind === "limit" && found.queues.local.waiting === 1);
    return lift;
  }

  test("resume ends the hold before its time", async () => {
    const lift = await limited();
    await lift();
    expect(await resume()).toBeNull();
    expect(await queue.settled("done", 1)).toEqual(["task.md"]);
    expect(queue.holds.at(-1)).toBeNull();
  });

  test("resume before the limit is over leads to the same hold again, and no task is lost or failed", async () => {
    const lift = await limited();
    const launches = (await starts()).length;
    await resume();
    await until("it was tried", async () => (await starts()).length > launches);
    await statusWhen("it is held again", (found) => found.hold?.kind === "limit" && found.queues.local.waiting === 1);
    expect(await queue.names("failed")).toEqual([]);
    await lift();
    await resume();
    await queue.settled("done", 1);
  });

  test("somebody's hold goes on after the limit's end, without a probe", async () => {
    const lift = await limited();
    expect(await hold("mine")).toMatchObject({ kind: "manual", until: null, message: "mine" });
    const before = (await starts()).length;
    await lift();
    clock.ms += 24 * HOUR_MS;
    await lookedAgain();
    expect(await starts()).toHaveLength(before);
    expect(await status()).toMatchObject({ verdict: "held", hold: { kind: "manual", until: null } });
    await resume();
    await queue.settled("done", 1);
  });
});
