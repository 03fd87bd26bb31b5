import { describe, expect, test } from "vitest";
import { cancellationId, newTaskId, parseRunId, runId } from "../../src/core/id.ts";

const UUID = "0b54e6a2-4b6f-4c8e-9a57-0d6f0f3a1c22";
const ID = "kabcdefghi";

describe("a run's id", () => {
  test("is read back as its task's and its number, of every task that there can be", () => {
    for (let count = 0; count < 1_000; count += 1) {
      const id = newTaskId();
      const number = 1 + (count % 12);
      expect(parseRunId(runId(id, number))).toEqual({ id, runs: number });
    }
  });

  test.each([0, 1, 9, 10, 999_999_999])("may have the number %d", (runs) => {
    expect(parseRunId(runId(ID, runs))).toEqual({ id: ID, runs });
  });
});

describe("a cancellation's id", () => {
  test("says which task it was and how many runs it had had, where that is known", () => {
    const earlier = { id: newTaskId(), runs: 3 };
    expect(parseRunId(cancellationId(earlier))).toEqual(earlier);
    expect(parseRunId(cancellationId({ ...earlier, runs: 0 }))).toEqual({ ...earlier, runs: 0 });
  });

  test("names no task of which nothing is known", () => {
    expect(parseRunId(cancellationId(null))).toBeNull();
  });

  test("is never the same twice, nor a run's own", () => {
    const earlier = { id: ID, runs: 1 };
    const ids = Array.from({ length: 100 }, (_, index) => cancellationId(index % 2 === 0 ? earlier : null));
    expect(new Set([...ids, runId(ID, 1)]).size).toBe(101);
  });
});

test.each([
  "",
  ID,
  `${ID}-`,
  `${ID}-x`,
  `${ID}--1`,
  `${ID}-1-2`,
  `${ID}-1.5`,
  `${ID}-1e3`,
  `${ID}-1234567890`,
  ` ${ID}-1`,
  `${ID}-1 `,
  `${ID}-1\n`,
  `\n${ID}-1`,
  `x\n${ID}-1`,
  `../${ID}-1`,
  `${ID}/../x-1`,
  `${ID}-1/../../x`,
  "KABCDEFGHI-1",
  "kabcdefgh-1",
  "kabcdefghij-1",
  "2abcdefghi-1",
  "kabcdefghl-1",
  "kabcdefgh1-1",
  "kabcdefgh0-1",
  "kabcdefghé-1",
  `${ID}-١`,
  `${ID}-1-cancelled-`,
  `${ID}-1-cancelled-${UUID}x`,
  `${ID}-1-cancelled-${UUID.toUpperCase()}`,
  `${ID}-cancelled-${UUID}`,
  `cancelled-${UUID}`,
  "__proto__-1",
])("%j names no run of ours", (text) => {
  expect(parseRunId(text)).toBeNull();
});
