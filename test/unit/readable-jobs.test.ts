import { describe, expect, test } from "vitest";
import { readable, readableTask } from "../../src/server/bull-board/readable.ts";

describe("a job's data for people", () => {
  test("has times and amounts in words", () => {
    expect(
      readable({ submittedAtMs: 0, timeoutMs: 125_000, costUsd: 0.01234, tokens: { input: 1, output: 2 } }),
    ).toEqual({
      ...{ submittedAt: "1970-01-01T00:00:00.000Z", timeout: "2 min 5 s", cost: "$0.0123" },
      tokens: { input: 1, output: 2 },
    });
  });

  test("leaves out what says nothing, at any depth", () => {
    const data = {
      fingerprint: "f",
      resume: null,
      tags: [],
      it: { allowDelegation: "unknown", promptHash: "h", a: 0 },
    };
    expect(readable(data)).toEqual({ it: { a: 0 } });
    expect(readable([{ a: null, b: "" }, 1, "x"])).toEqual([{ b: "" }, 1, "x"]);
  });

  test("has a task's header beside the rest", () => {
    expect(readableTask({ name: "a.md", header: { title: "A", priority: "low", timeoutMs: null } })).toEqual({
      ...{ name: "a.md", title: "A", priority: "low" },
    });
  });

  test.each([
    ["no object", "text"],
    ["nothing", null],
    ["a header that is none", { header: "x" }],
    ["a time that is none", { startedAtMs: "soon", waitMs: "long" }],
  ])("of a job that is not ours is shown as it is: %s", (_what, data) => {
    expect(readableTask(data)).toEqual(data);
  });

  test("survives times that no calendar has", () => {
    expect(readable({ startedAtMs: 1e20 })).toEqual({ startedAt: expect.any(String) });
  });
});
