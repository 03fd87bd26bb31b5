import { describe, expect, test } from "vitest";
import { AskTimes } from "../../src/workers/delegation/ask-times.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const POLL_MS = 30 * SECOND_MS;
/** When the job was submitted. */
const START = 1_000_000_000;

/** After how long each question comes, from the first on, if every one is asked as soon as it is due. */
function waits(times: AskTimes, count: number): number[] {
  let nowMs = START;
  return Array.from({ length: count }, () => {
    times.asked("a", nowMs);
    const leftMs = times.leftMs("a", START, nowMs);
    nowMs += leftMs;
    return leftMs;
  });
}

describe("when a job is asked about", () => {
  test("a job about which nobody answered is due", () => {
    const times = new AskTimes(1_000);
    times.asked("a", 10_000);
    expect(times.leftMs("a", 0, 10_000)).toBeGreaterThan(0);
    times.unanswered("a");
    expect(times.leftMs("a", 0, 10_000)).toBe(0);
  });

  test("at once, when it never was", () => {
    const times = new AskTimes(POLL_MS);
    expect(times.leftMs("a", START, START)).toBe(0);
    expect(times.leftMs("a", START, START + 60 * MINUTE_MS)).toBe(0);
  });

  test("every 2 s while it is fresh, then after a fifth of its age, up to ten poll intervals", () => {
    const all = waits(new AskTimes(POLL_MS), 60);
    expect(all.slice(0, 6)).toEqual(Array(6).fill(2 * SECOND_MS));
    expect(all[6]).toBeCloseTo(2.4 * SECOND_MS);
    expect(all.toSorted((a, b) => a - b)).toEqual(all);
    expect(all.at(-1)).toBe(10 * POLL_MS);
  });

  test("at once, when the clock was set back since it was asked about, and then as before", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START + 60 * MINUTE_MS);
    expect(times.leftMs("a", START, START + MINUTE_MS)).toBe(0);
    times.asked("a", START + MINUTE_MS);
    expect(times.leftMs("a", START, START + MINUTE_MS)).toBe(12 * SECOND_MS);
  });

  test("no more often than the poll interval where that is shorter than 2 s", () => {
    const times = new AskTimes(200);
    expect(times.shortestMs).toBe(200);
    expect(waits(times, 3)).toEqual([200, 200, 200]);
  });

  test("after what is left of its wait, and never a negative time", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START + MINUTE_MS);
    expect(times.leftMs("a", START, START + MINUTE_MS)).toBe(12 * SECOND_MS);
    expect(times.leftMs("a", START, START + MINUTE_MS + 5 * SECOND_MS)).toBe(7 * SECOND_MS);
    expect(times.leftMs("a", START, START + 2 * MINUTE_MS)).toBe(0);
  });

  test("soon, when a clock was set back: it seems to be asked before it was submitted", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START - MINUTE_MS);
    expect(times.leftMs("a", START, START - MINUTE_MS)).toBe(2 * SECOND_MS);
  });

  test("each by itself", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START);
    expect(times.leftMs("b", START, START)).toBe(0);
    expect(times.leftMs("a", START, START)).toBe(2 * SECOND_MS);
  });
});

describe("a platform that asks for a pause", () => {
  test("is asked about nothing until it is over, whatever is due", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START);
    times.pause(MINUTE_MS, START);
    for (const id of ["a", "never asked about"]) {
      expect(times.leftMs(id, START, START + 59 * SECOND_MS)).toBe(SECOND_MS);
      expect(times.leftMs(id, START, START + MINUTE_MS)).toBe(0);
    }
  });

  test("changes nothing for a job that is due later", () => {
    const times = new AskTimes(POLL_MS);
    times.asked("a", START);
    times.pause(SECOND_MS, START);
    expect(times.leftMs("a", START, START)).toBe(2 * SECOND_MS);
  });

  test("again, makes a pause longer and never shorter", () => {
    const times = new AskTimes(POLL_MS);
    times.pause(MINUTE_MS, START);
    for (const forMs of [0, SECOND_MS]) times.pause(forMs, START);
    expect(times.leftMs("a", START, START)).toBe(MINUTE_MS);
    times.pause(MINUTE_MS, START + SECOND_MS);
    expect(times.leftMs("a", START, START + MINUTE_MS)).toBe(SECOND_MS);
  });

  test("is asked again at once when the clock was set back, and may ask for another pause", () => {
    const times = new AskTimes(POLL_MS);
    times.pause(MINUTE_MS, START + 60 * MINUTE_MS);
    expect(times.leftMs("a", START, START)).toBe(0);
    times.pause(SECOND_MS, START);
    expect(times.leftMs("a", START, START)).toBe(SECOND_MS);
  });
});

test("jobs that are over are forgotten", () => {
  const times = new AskTimes(POLL_MS);
  times.asked("a", START);
  times.asked("b", START);
  times.keep(new Set(["b", "c"]));
  expect(times.leftMs("a", START, START)).toBe(0);
  expect(times.leftMs("b", START, START)).toBe(2 * SECOND_MS);
});
