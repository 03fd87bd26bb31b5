import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { historySlot, overview } from "../../src/control/overview.ts";
import { Recorder } from "../../src/control/recorder.ts";
import { type TaskEvent, TaskEvents } from "../../src/core/events.ts";
import { History, SLOT_MS } from "../../src/queue/history.ts";
import { Journal } from "../../src/queue/journal.ts";
import { keyPrefix } from "../../src/queue/names.ts";
import { Pool } from "../../src/workers/tmux/pool.ts";
import { Tmux } from "../../src/workers/tmux/tmux.ts";
import { type BareQueues, startBareQueues } from "../helpers/bare-queues.ts";
import { startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const NOW = Date.UTC(2026, 10, 21, 9, 37, 12, 345);
const SLOT = Date.UTC(2026, 10, 21, 9, 30);
const DAY_MS = 24 * 3_600_000;
const NONE = { done: 0, failed: 0, busy: 0, sessions: 0 };

let bare: BareQueues;
let history: History;
const cleanups: (() => Promise<void>)[] = [];
beforeEach(async () => {
  bare = await startBareQueues();
  history = new History(bare.shared);
  cleanups.push(bare.stop, async () => await history.stop());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The slots in which something happened. */
const filled = async (nowMs = NOW) =>
  (await history.read(nowMs)).filter(({ done, failed, busy, sessions }) => done + failed + busy + sessions > 0);

describe("the history", () => {
  test("is of 24 hours, the oldest slot first, also when nothing happened", async () => {
    const slots = await history.read(NOW);
    expect(slots).toHaveLength(DAY_MS / SLOT_MS);
    expect(slots.at(-1)).toEqual({ atMs: SLOT, ...NONE });
    expect(slots[0]).toEqual({ atMs: SLOT - DAY_MS + SLOT_MS, ...NONE });
    for (const [index, { atMs }] of slots.entries()) expect(atMs).toBe((slots[0]?.atMs ?? 0) + index * SLOT_MS);
  });

  test("adds up what happened in the same slot, by whichever host", async () => {
    const other = new History(bare.shared);
    cleanups.push(async () => await other.stop());
    await history.add({ done: 1 }, SLOT);
    await history.add({ done: 2, failed: 1 }, NOW);
    await other.add({ busy: 3, sessions: 8 }, SLOT + SLOT_MS - 1);
    await other.add({ busy: 1, sessions: 8 }, NOW);
    expect(await filled()).toEqual([{ atMs: SLOT, done: 3, failed: 1, busy: 4, sessions: 16 }]);
  });

  test("keeps apart what happened in different ones", async () => {
    await history.add({ done: 1 }, SLOT - 1);
    await history.add({ done: 2 }, SLOT);
    await history.add({ failed: 3 }, SLOT + SLOT_MS);
    expect(await filled()).toEqual([
      { atMs: SLOT - SLOT_MS, ...NONE, done: 1 },
      { atMs: SLOT, ...NONE, done: 2 },
    ]);
    expect(await filled(NOW + SLOT_MS)).toHaveLength(3);
  });

  test("reaches back a day and no further, and Redis forgets with it", async () => {
    await history.add({ done: 1 }, SLOT);
    expect(await filled(SLOT + DAY_MS - 1)).toHaveLength(1);
    expect(await filled(SLOT + DAY_MS)).toEqual([]);
    const keys = await bare.redis.keys(`${keyPrefix("w")}:history:*`);
    expect(keys).toHaveLength(1);
    const ttlMs = await bare.redis.pttl(keys[0] ?? "");
    expect(ttlMs).toBeGreaterThanOrEqual(DAY_MS - 60_000);
    expect(ttlMs).toBeLessThanOrEqual(DAY_MS + SLOT_MS);
  });

  test("is the workspace's own", async () => {
    await history.add({ done: 1 }, NOW);
    const other = new History({ ...bare.shared, workspace: "other" });
    cleanups.push(async () => await other.stop());
    expect((await other.read(NOW)).every(({ done }) => done === 0)).toBe(true);
  });

  test("counts nothing as nothing", async () => {
    await history.add({}, NOW);
    await history.add({ done: 0, busy: 0 }, NOW);
    expect(await filled()).toEqual([]);
  });
});

describe("the recorder", () => {
  const told = { task: { project: "/srv/site", name: "fix.md" }, id: "kabcdefghi" };
  const decision = { route: "local", reason: "allow_delegation is not true" } as const;
  const spent = { durationMs: 1, model: null, tokens: null, costUsd: null };
  const over = { decision, by: "ccl-auto-11", path: "p", spent };
  const EVENTS: TaskEvent[] = [
    { ...told, type: "seen", isAgain: false, warnings: [] },
    { ...told, type: "retrying", session: "s", reason: "r", delayMs: 1 },
    { ...told, ...over, type: "done" },
    { ...told, ...over, type: "done" },
    { ...told, ...over, type: "failed", reason: "r" },
    { ...told, type: "cancelled", decision: null, byCommand: true },
    { ...told, id: "", type: "rejected", reason: "it is empty", path: "p" },
  ];

  function recorder() {
    const events = new TaskEvents();
    const journal = new Journal({ ...bare.shared, retentionMs: DAY_MS });
    const tmux = new Tmux("ccl-queue-test-nobody", {});
    const range = { prefix: "p-", startIndex: 1, min: 0, max: 0, excluded: [], directory: "/", cooldownMs: 0 };
    const recorder = new Recorder({
      events,
      journal,
      history,
      pool: new Pool({ tmux, workspace: "w", host: "h", ...range }),
      onError: bare.shared.onError,
    });
    cleanups.push(async () => await journal.stop());
    return { events, journal, recorder };
  }
  const sums = async () => {
    const slots = await history.read(Date.now());
    const total = (of: "done" | "failed") => slots.reduce((sum, slot) => sum + slot[of], 0);
    return [total("done"), total("failed")];
  };

  test("counts what is done and what failed, and notes every step of a task that has an id", async () => {
    const { events, journal, recorder: service } = recorder();
    await service.start();
    await service.start();
    for (const event of EVENTS) events.emit(event);
    await until("they are counted", async () => (await sums()).join() === "2,2");
    await until("they are noted", async () => (await journal.read(told.id)).length === 6);
    expect((await journal.read(told.id)).map(({ type }) => type)).toEqual(EVENTS.slice(0, 6).map(({ type }) => type));
    expect(await journal.read("")).toEqual([]);
    expect(bare.errors).toEqual([]);
    await service.stop();
    for (const event of EVENTS) events.emit(event);
    await history.add({ failed: 1 }, Date.now());
    expect(await sums()).toEqual([2, 3]);
  });
});

describe("operators see", () => {
  test("how many tasks ended, and how busy the sessions were, or that nobody knows", async () => {
    const queue = await startQueue();
    cleanups.push(queue.stop);
    const shared = { address: redisOf(queue.config), workspace: queue.config.workspace };
    const sums = new History({ ...shared, onError: bare.shared.onError });
    cleanups.push(async () => await sums.stop());
    const now = Date.now();
    const hourAgo = now - 3_600_000;
    await sums.add({ busy: 3, sessions: 8 }, hourAgo);
    await sums.add({ busy: 9, sessions: 8 }, hourAgo - SLOT_MS);
    await queue.drop("done.md", "Do it.\n");
    await queue.drop("failed.md", "agent: exit 3\n");
    await queue.drop("rejected.md", "---\n: [\n---\nx\n");
    await queue.settled("failed", 2);
    await queue.settled("done", 1);
    const seen = await until("all are counted", async () => {
      const { history: slots } = await askDaemon(queue.config.stateDir, "GET", "/api/overview", overview);
      const ended = slots.reduce((sum, slot) => sum + slot.done + slot.failed, 0);
      return ended === 3 && slots;
    });
    expect(seen).toHaveLength(144);
    expect(historySlot.strict().array().parse(seen)).toEqual(seen);
    expect(seen.reduce((sum, slot) => sum + slot.done, 0)).toBe(1);
    const at = (ms: number) => new Date(Math.floor(ms / SLOT_MS) * SLOT_MS).toISOString();
    const used = seen.filter(({ utilisation }) => utilisation !== null);
    expect(used.map((slot) => [slot.at, slot.utilisation])).toEqual([
      [at(hourAgo - SLOT_MS), 1],
      [at(hourAgo), 0.375],
    ]);
  });
});
