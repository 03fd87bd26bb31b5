import { describe, expect, test } from "vitest";
import { cleanJson, cleanLine, cleanLines } from "../../src/cli/clean.ts";

describe("a line of somebody else's", () => {
  test.each([
    ["\u001B[31mred\u001B[0m", " [31mred [0m"],
    ["\u001B]0;title\u0007", " ]0;title "],
    ["a\nb\r\tc\0d", "a b  c d"],
    ["\u009B31m\u007F", " 31m "],
    ["a\u2028b\u2029c", "a b c"],
    ["fix\u202Edm.exe", "fixdm.exe"],
    ["\u2066a\u2069\u200Fb\u061C", "ab"],
    ["ü 東京 👩‍👩‍👧", "ü 東京 👩‍👩‍👧"],
    ["", ""],
  ])("%j becomes %j", (text, expected) => {
    expect(cleanLine(text)).toBe(expected);
  });

  test("and several of them keep their ends and their indents", () => {
    expect(cleanLines("a\r\n\tb\u001B[2J\n\nc\u202E\n\n")).toEqual(["a", "    b [2J", "", "c"]);
  });
});

describe("JSON for a terminal", () => {
  test("means the same, and steers nothing", () => {
    const value = { text: "\u001B[31m\u009B31m\u007F\u0085\u2028\u202E ü 東京 \\u009b" };
    const json = cleanJson(JSON.stringify(value));
    expect(JSON.parse(json)).toEqual(value);
    expect(json).not.toMatch(/[\p{Cc}\u2028\u202E]/u);
    expect(json).toContain("ü 東京");
  });
});
