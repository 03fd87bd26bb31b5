import { describe, expect, test } from "vitest";
import { formatDuration, parseDurationMs } from "../../src/core/duration.ts";

describe("a duration as people write it", () => {
  test.each([
    ["500ms", 500],
    ["0s", 0],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["30d", 2_592_000_000],
    ["1.5h", 5_400_000],
    ["0.0004s", 0],
    ["0.0006s", 1],
    ["  10 s ", 10_000],
  ])("%j is %d ms", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each(["", "30", "s", "30 sec", "-5s", "5S", "1e3s", ".5s", "5.s", "1h30m", "5 s s", "5s\nx", "x5s", "NaNs"])(
    "%j is none",
    (text) => {
      expect(parseDurationMs(text)).toBeNull();
    },
  );
});

describe("a duration for people to read", () => {
  test.each([
    [0, "0 ms"],
    [0.4, "0 ms"],
    [340, "340 ms"],
    [999, "999 ms"],
    [1_000, "1.0 s"],
    [2_149, "2.1 s"],
    [59_900, "59.9 s"],
    [60_000, "1 min"],
    [60_999, "1 min"],
    [61_000, "1 min 1 s"],
    [245_000, "4 min 5 s"],
    [3_599_999, "59 min 59 s"],
    [3_600_000, "1 h"],
    [7_380_000, "2 h 3 min"],
    [7_259_999, "2 h"],
    [90_000_000, "25 h"],
  ])("%d ms reads %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test.each([
    [999.7, "1.0 s"],
    [59_960, "1 min"],
  ])("%d ms is rounded up to the next unit: %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
