import { expect, test } from "vitest";
import { z } from "zod";
import { jsonLines } from "../helpers/json-lines.ts";

const entry = z.object({ at: z.number() });

test("reads every line that is written to the end", () => {
  expect(jsonLines('{"at":1}\n{"at":2}\n', entry)).toEqual([{ at: 1 }, { at: 2 }]);
  expect(jsonLines("", entry)).toEqual([]);
});

test("leaves out a last line that is still being written", () => {
  expect(jsonLines('{"at":1}\n{"at":2', entry)).toEqual([{ at: 1 }]);
  expect(jsonLines('{"at":1}\n{"at":2}', entry)).toEqual([{ at: 1 }]);
});

test("refuses a line that is none of these, wherever it stands", () => {
  expect(() => jsonLines('{"at":1\n{"at":2}\n', entry)).toThrow(SyntaxError);
  expect(() => jsonLines('{"at":"1"}\n', entry)).toThrow(z.ZodError);
});
