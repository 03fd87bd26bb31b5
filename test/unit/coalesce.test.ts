import { describe, expect, test, vi } from "vitest";
import { coalesce } from "../../src/core/coalesce.ts";

/** A task whose runs end when the test says so, and that counts how many there are. */
function controlled() {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const seen = { active: 0, most: 0 };
  const task = vi.fn(async () => {
    seen.active += 1;
    seen.most = Math.max(seen.most, seen.active);
    try {
      await new Promise<void>((resolve, reject) => ends.push({ resolve, reject }));
    } finally {
      seen.active -= 1;
    }
  });
  const end = async (run: number) => {
    await vi.waitUntil(() => ends.length > run, { interval: 0 });
    ends[run]?.resolve();
  };
  return { task, ends, end, seen, call: coalesce(task) };
}

/** Lets everything happen that waits for no input. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a call runs the task at once", () => {
  const { call, task } = controlled();
  void call();
  expect(task).toHaveBeenCalledTimes(1);
});

test("calls one after the other run it each time", async () => {
  const { call, task, end } = controlled();
  const first = call();
  await end(0);
  await first;
  const second = call();
  expect(task).toHaveBeenCalledTimes(2);
  await end(1);
  await second;
  expect(task).toHaveBeenCalledTimes(2);
});

describe("it is settled", () => {
  test("when nothing runs", async () => {
    const { call, task } = controlled();
    await call.settled();
    expect(task).not.toHaveBeenCalled();
  });

  test("when the run under way and the next one are over, however they ended, and runs no other", async () => {
    const { call, task, ends, end, seen } = controlled();
    const runs = [call(), call()];
    const failed = expect(runs[1]).rejects.toThrow("broken");
    const settled = call.settled();
    await end(0);
    await vi.waitUntil(() => ends.length > 1, { interval: 0 });
    ends[1]?.reject(new Error("broken"));
    await settled;
    expect([seen.active, task.mock.calls.length]).toEqual([0, 2]);
    await Promise.all([runs[0], failed]);
  });
});

describe("calls during a run", () => {
  test("cause exactly one run more, after it", async () => {
    const { call, task, end } = controlled();
    const first = call();
    const others = [call(), call(), call()];
    await settle();
    expect(task).toHaveBeenCalledTimes(1);
    await end(0);
    await first;
    await end(1);
    await Promise.all(others);
    await settle();
    expect(task).toHaveBeenCalledTimes(2);
  });

  test("resolve only when the run that began after them has ended", async () => {
    const { call, end } = controlled();
    const first = call();
    const resolved = vi.fn();
    const second = call().then(resolved);
    await end(0);
    await first;
    await settle();
    expect(resolved).not.toHaveBeenCalled();
    await end(1);
    await second;
    expect(resolved).toHaveBeenCalledTimes(1);
  });

  test("made in the run more cause yet another", async () => {
    const { call, task, end } = controlled();
    void call();
    const second = call();
    await end(0);
    await vi.waitUntil(() => task.mock.calls.length === 2, { interval: 0 });
    const third = call();
    await end(1);
    await second;
    await end(2);
    await third;
    expect(task).toHaveBeenCalledTimes(3);
  });
});

describe("never two runs at a time", () => {
  test("whoever calls, however often", async () => {
    const { call, end, seen } = controlled();
    const calls = [call(), call(), call()];
    await end(0);
    await end(1);
    await Promise.all(calls);
    expect(seen.most).toBe(1);
  });

  test("also when a call follows the end of a run, before the one that was asked for meanwhile has begun", async () => {
    const seen = { active: 0, most: 0 };
    const call = coalesce(async () => {
      seen.active += 1;
      seen.most = Math.max(seen.most, seen.active);
      await settle();
      seen.active -= 1;
    });
    const first = call();
    await Promise.all([call(), first.then(call)]);
    expect(seen.most).toBe(1);
  });
});

describe("a run that fails", () => {
  test("rejects its call and nothing else", async () => {
    const { call, task, ends, end } = controlled();
    const first = call();
    const second = call();
    ends[0]?.reject(new Error("disk full"));
    await expect(first).rejects.toThrow("disk full");
    await end(1);
    await expect(second).resolves.toBeUndefined();
    expect(task).toHaveBeenCalledTimes(2);
  });

  test("does not wedge the next call", async () => {
    const { call, ends, end, task } = controlled();
    const first = call();
    ends[0]?.reject(new Error("disk full"));
    await expect(first).rejects.toThrow("disk full");
    const second = call();
    await end(1);
    await second;
    expect(task).toHaveBeenCalledTimes(2);
  });

  test("rejects also every call that waited for it", async () => {
    const { call, ends, end } = controlled();
    void call();
    const waiting = [call(), call()];
    await end(0);
    await vi.waitUntil(() => ends.length === 2, { interval: 0 });
    ends[1]?.reject(new Error("disk full"));
    const settled = await Promise.allSettled(waiting);
    expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
