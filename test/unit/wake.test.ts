import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Wake } from "../../src/core/wake.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A wait, and whether it is over. */
function waiting(wake: Wake, timeoutMs: number, signal = new AbortController().signal) {
  const state = { over: false, promise: Promise.resolve() };
  state.promise = wake.wait(timeoutMs, signal).then(() => {
    state.over = true;
  });
  return state;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("a wait ends when its time is over, not before", async () => {
  const wait = waiting(new Wake(), 1_000);
  await pass(999);
  expect(wait.over).toBe(false);
  await pass(1);
  expect(wait.over).toBe(true);
});

test("a poke ends it early", async () => {
  const wake = new Wake();
  const wait = waiting(wake, 1_000);
  await pass(1);
  wake.poke();
  await wait.promise;
  expect(wait.over).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("a poke between two waits ends the next one at once, and only that", async () => {
  const wake = new Wake();
  wake.poke();
  wake.poke();
  const first = waiting(wake, 1_000);
  await pass(0);
  expect(first.over).toBe(true);
  const second = waiting(wake, 1_000);
  await pass(999);
  expect(second.over).toBe(false);
});

test("a poke during a wait is used up by it", async () => {
  const wake = new Wake();
  const first = waiting(wake, 1_000);
  wake.poke();
  await first.promise;
  const second = waiting(wake, 1_000);
  await pass(999);
  expect(second.over).toBe(false);
});

describe("an abort", () => {
  test("ends the wait", async () => {
    const abort = new AbortController();
    const wait = waiting(new Wake(), 1_000, abort.signal);
    await pass(1);
    abort.abort();
    await wait.promise;
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that came before ends it at once", async () => {
    const wait = waiting(new Wake(), 1_000, AbortSignal.abort());
    await pass(0);
    expect(wait.over).toBe(true);
  });

  test("ends all of several waits", async () => {
    const abort = new AbortController();
    const wake = new Wake();
    const waits = [waiting(wake, 1_000, abort.signal), waiting(wake, 1_000, abort.signal)];
    abort.abort();
    await pass(0);
    expect(waits.map(({ over }) => over)).toEqual([true, true]);
  });
});

test.each<[string, (wake: Wake) => void]>([
  ["a poke", (wake) => wake.poke()],
  ["its time", () => vi.advanceTimersByTime(1_000)],
])("a wait that %s ended leaves no listener on the signal, which lives as long as the daemon", async (_what, end) => {
  const wake = new Wake();
  const { signal } = new AbortController();
  const wait = waiting(wake, 1_000, signal);
  end(wake);
  await wait.promise;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
