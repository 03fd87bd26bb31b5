import { expect, test } from "vitest";
import { slices } from "../../src/core/slices.ts";

test.each([
  [[], 2, []],
  [
    [1, 2, 3, 4],
    2,
    [
      [1, 2],
      [3, 4],
    ],
  ],
  [[1, 2, 3], 2, [[1, 2], [3]]],
  [[1], 2, [[1]]],
])("%j in parts of %i is %j", (list, size, parts) => {
  expect([...slices<number>(list, size)]).toEqual(parts);
});
