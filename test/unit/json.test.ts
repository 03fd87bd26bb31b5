import { expect, test } from "vitest";
import { parseJson } from "../../src/core/json.ts";

test.each<[string, unknown]>([
  ['{"a":[1,null]}', { a: [1, null] }],
  ["0", 0],
  ['""', ""],
  ["null", null],
  ["", null],
  ["{", null],
  ["undefined", null],
  ['{"a":1}}', null],
  ["\u0000", null],
])("%j holds %j", (text, value) => {
  expect(parseJson(text)).toEqual(value);
});
