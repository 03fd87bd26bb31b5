import pino from "pino";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { errorLog } from "../../src/cli/log.ts";
import { QueueError } from "../../src/core/errors.ts";

const MINUTE_MS = 60_000;

let lines: string[];
let tell: (error: unknown) => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  lines = [];
  tell = errorLog(pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line.trim()) }));
});

/** An error that is met again and again for so long. */
function keepTelling(error: unknown, forMs: number, everyMs = 1_000): void {
  for (let ms = 0; ms < forMs; ms += everyMs) {
    tell(error);
    vi.advanceTimersByTime(everyMs);
  }
}

test("an error is told with its code and what to do", () => {
  tell(new QueueError("the disk is full", { code: "DISK_FULL", hint: "make space" }));
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 50, code: "DISK_FULL", hint: "make space", msg: "the disk is full" },
  ]);
});

test("an error that stays is told less and less often: seven times in an hour, then once an hour", () => {
  keepTelling(new Error("away"), 60 * MINUTE_MS);
  expect(lines).toHaveLength(7);
  keepTelling(new Error("away"), 240 * MINUTE_MS);
  expect(lines.length).toBeLessThanOrEqual(12);
  expect(lines.length).toBeGreaterThan(10);
});

test("each of several errors is told, however often the others are", () => {
  keepTelling(new Error("one"), 10_000);
  tell(new Error("two"));
  expect(lines).toHaveLength(2);
});

test("an error that was over for some minutes is told at once when it comes again", () => {
  keepTelling(new Error("away"), 20 * MINUTE_MS);
  const before = lines.length;
  vi.advanceTimersByTime(6 * MINUTE_MS);
  tell(new Error("away"));
  expect(lines).toHaveLength(before + 1);
  vi.advanceTimersByTime(31_000);
  tell(new Error("away"));
  expect(lines).toHaveLength(before + 2);
});

test("what is no error of ours is told as it is, with nothing of what it holds besides", () => {
  tell(Object.assign(new Error("WRONGPASS"), { command: { name: "auth", args: ["s3cret"] } }));
  tell("a string");
  expect(lines).toEqual(['{"level":50,"msg":"WRONGPASS"}', '{"level":50,"msg":"a string"}']);
});
