import { afterEach, describe, expect, test } from "vitest";
import { type Change, type Fragment, LiveView } from "../../src/server/dashboard/live-view.ts";
import { until } from "../helpers/until.ts";

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** A view of a few parts that a test can change, and how often it was read. */
function viewOf(parts: Record<string, string>, pauseMs = 5) {
  const state: { parts: Record<string, string>; reads: number; error: Error | null } = { parts, reads: 0, error: null };
  const view = new LiveView<Record<string, string>>({
    read: async () => {
      state.reads += 1;
      if (state.error !== null) throw state.error;
      return { ...state.parts };
    },
    render: (data): Fragment[] => Object.entries(data).map(([id, html]) => ({ id, html })),
    onFailure: (error) => [{ id: "trouble", html: String(error) }],
    pauseMs: () => pauseMs,
  });
  return { view, state };
}

/** Somebody who watches and writes down every change. */
function watcher(view: LiveView<Record<string, string>>, from: number) {
  const stop = new AbortController();
  stops.push(stop);
  const seen: Change[] = [];
  const over = (async () => {
    for await (const change of view.watch(from, stop.signal)) seen.push(change);
  })();
  return {
    seen,
    stop: () => stop.abort(),
    over,
    ids: () => seen.map((change) => change.fragments.map(({ id }) => id)),
  };
}

describe("a page's data", () => {
  test("is read when somebody asks, and again once it is too old", async () => {
    const { view, state } = viewOf({ a: "1" });
    expect((await view.snapshot(60_000)).data).toEqual({ a: "1" });
    state.parts = { a: "2" };
    expect((await view.snapshot(60_000)).data).toEqual({ a: "1" });
    expect(state.reads).toBe(1);
    expect((await view.snapshot(0)).data).toEqual({ a: "2" });
  });

  test("is not read while nobody watches, and not any more when the last one has gone", async () => {
    const { view, state } = viewOf({ a: "1" });
    const [one, two] = [watcher(view, 0), watcher(view, 0)];
    await until("it is read a few times", () => state.reads > 3);
    expect(view.watchers).toBe(2);
    one.stop();
    two.stop();
    await Promise.all([one.over, two.over]);
    expect(view.watchers).toBe(0);
    const readsAtTheEnd = state.reads;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(state.reads).toBeLessThanOrEqual(readsAtTheEnd + 1);
  });

  test("is read once for all who watch", async () => {
    const { view, state } = viewOf({ a: "1" }, 60_000);
    const watchers = Array.from({ length: 20 }, () => watcher(view, 0));
    await until("all have it", () => watchers.every(({ seen }) => seen.length === 1));
    expect(state.reads).toBe(1);
  });

  test("is watched again after nobody did", async () => {
    const { view, state } = viewOf({ a: "1" });
    const first = watcher(view, 0);
    await until("it is there", () => first.seen.length === 1);
    first.stop();
    await first.over;
    // Longer than any pause between two reads.
    await new Promise((resolve) => setTimeout(resolve, 100));
    state.parts = { a: "2" };
    const second = watcher(view, first.seen[0]?.version ?? -1);
    const change = await until("it is there again", () => second.seen[0]);
    expect(change.fragments).toEqual([{ id: "a", html: "2" }]);
  });
});

describe("a change", () => {
  test("tells what is new since the version that the watcher has", async () => {
    const { view, state } = viewOf({ a: "1", b: "1" });
    const { version } = await view.snapshot(0);
    state.parts = { a: "1", b: "2" };
    const [old, fresh] = [watcher(view, version), watcher(view, 0)];
    await until("both have it", () => old.seen.length === 1 && fresh.ids().flat().includes("b"));
    expect(old.seen[0]?.fragments).toEqual([{ id: "b", html: "2" }]);
    expect(fresh.ids().flat().sort()).toContain("a");
  });

  test("is none where a clock alone has moved on", async () => {
    const { view, state } = viewOf({ a: '<time datetime="x">1 min</time>', b: '<time datetime="x">1 min</time>' });
    const { version } = await view.snapshot(0);
    const { seen } = watcher(view, version);
    state.parts = { a: '<time datetime="x">2 min</time>', b: '<time datetime="y">1 min</time>' };
    await until("something changed", () => seen.length > 0);
    expect(seen.flatMap(({ fragments }) => fragments.map(({ id }) => id))).toEqual(["b"]);
  });

  test("is told of once, with the latest state, to who has not asked for a while", async () => {
    const { view, state } = viewOf({ a: "0" });
    const stop = new AbortController();
    stops.push(stop);
    const changes = view.watch(0, stop.signal);
    await changes.next();
    const keeper = watcher(view, 0);
    for (const step of ["1", "2", "3"]) {
      state.parts = { a: step };
      await until(`step ${step} is known`, () => keeper.seen.at(-1)?.fragments[0]?.html === step);
    }
    const { value } = await changes.next();
    expect(value?.fragments).toEqual([{ id: "a", html: "3" }]);
  });

  test("is the trouble when it cannot be read, and goes on after it", async () => {
    const { view, state } = viewOf({ a: "1", trouble: "" });
    const { seen } = watcher(view, 0);
    await until("it is there", () => seen.length === 1);
    state.error = new Error("Redis is away");
    await until("the trouble is told", () => seen.length === 2);
    expect(seen[1]?.fragments).toEqual([{ id: "trouble", html: "Error: Redis is away" }]);
    await expect(view.snapshot(0)).rejects.toThrow("Redis is away");
    state.error = null;
    await until("it is over", () => seen.length === 3);
    expect(seen[2]?.fragments).toEqual([{ id: "trouble", html: "" }]);
  });
});
