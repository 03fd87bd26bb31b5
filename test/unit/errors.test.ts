import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { asError, ERROR_CODES, ignoreMissing, isSystemError, messageOf, QueueError } from "../../src/core/errors.ts";

describe("an error of ours", () => {
  test("carries a code, a message and what to do", () => {
    const error = new QueueError("tmux is not there", { code: "TMUX_MISSING", hint: "install it" });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "QueueError",
      code: "TMUX_MISSING",
      message: "tmux is not there",
      hint: "install it",
    });
  });

  test("has no hint and no cause unless given", () => {
    const error = new QueueError("no", { code: "TASK_INVALID" });
    expect(error.hint).toBeNull();
    expect("cause" in error).toBe(false);
  });

  test.each([new Error("below"), "a string", undefined])("keeps its cause: %s", (cause) => {
    const error = new QueueError("no", { code: "TASK_INVALID", cause });
    expect(error).toHaveProperty("cause", cause);
  });
});

test("whatever is thrown is an error, and one that is an error is itself", () => {
  const error = new Error("below");
  expect(asError(error)).toBe(error);
  expect(asError("a string")).toEqual(new Error("a string"));
  expect(asError(undefined)).toEqual(new Error("undefined"));
});

test.each(Object.entries(ERROR_CODES))("the code %s is explained in a sentence", (code, meaning) => {
  expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
  expect(meaning).toMatch(/^[A-Z`].*\.$/);
});

test.each<[string, unknown, string]>([
  ["an error", new TypeError("not a number"), "not a number"],
  ["a string", "out of paper", "out of paper"],
  ["nothing", undefined, "undefined"],
  ["an object", { a: 1 }, "[object Object]"],
])("what %s says", (_what, thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});

describe("a system error", () => {
  const missing = (() => {
    try {
      return readFileSync("/nowhere/at/all");
    } catch (error) {
      return error;
    }
  })();

  test.each([
    [["ENOENT"], true],
    [["EEXIST", "ENOENT"], true],
    [["EEXIST"], false],
    [[], false],
  ])("ENOENT is one of %j: %s", (codes, expected) => {
    expect(isSystemError(missing, ...codes)).toBe(expected);
  });

  test("that says that something is missing is ignored, and no other", () => {
    expect(ignoreMissing(missing)).toBeNull();
    const other = new Error("ENOENT");
    expect(() => ignoreMissing(other)).toThrow(other);
  });

  test.each<[string, unknown]>([
    ["an error without a code", new Error("ENOENT")],
    ["a code that is a number", Object.assign(new Error("no"), { code: 2 })],
    ["no error at all", { code: "ENOENT" }],
    ["nothing", null],
  ])("is not %s", (_what, thrown) => {
    expect(isSystemError(thrown, "ENOENT", "2")).toBe(false);
  });
});
