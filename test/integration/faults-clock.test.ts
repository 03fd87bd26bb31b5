import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Ticks } from "../../src/queue/ticks.ts";
import { type BareQueues, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;
const EVERY_MS = 500;

let bare: BareQueues;
let ticks: Ticks;
let count = 0;

beforeEach(async () => {
  // The clock of this process, which BullMQ goes by as well; Redis and the steady clock keep theirs.
  vi.useFakeTimers({ toFake: ["Date"], shouldAdvanceTime: true, now: Date.now() });
  bare = await startBareQueues();
  count = 0;
  const tick = async () => {
    count += 1;
  };
  ticks = new Ticks({ ...bare.shared, queue: "clock", everyMs: EVERY_MS, tick });
  await ticks.start();
});

afterEach(async () => {
  await ticks.stop();
  await bare.stop();
  vi.useRealTimers();
});

describe.each([HOUR_MS, -HOUR_MS])("a clock that is set by %i ms", (jumpMs) => {
  test("keeps the reaper's ticks coming, and no faster", async () => {
    await until("it ticks", () => count >= 2);
    vi.setSystemTime(Date.now() + jumpMs);
    const before = count;
    const startedMs = performance.now();
    await until("it ticks on", () => count >= before + 6);
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(3 * EVERY_MS);
    expect(tookMs).toBeLessThan(20 * EVERY_MS);
  });
});
