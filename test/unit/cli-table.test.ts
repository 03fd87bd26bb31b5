import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { cutToWidth, padToWidth } from "../../src/cli/fit-width.ts";
import { table } from "../../src/cli/table.ts";

describe("the width of a text", () => {
  test.each([
    ["fits", 4, "fits"],
    ["too long", 5, "too…"],
    ["toolong", 5, "tool…"],
    ["東京都", 5, "東京…"],
    ["東京都", 4, "東…"],
    ["👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…"],
    ["ab", 1, "…"],
  ])("%j cut to %i is %j", (text, columns, expected) => {
    expect(cutToWidth(text, columns)).toBe(expected);
    expect(stringWidth(expected)).toBeLessThanOrEqual(columns);
  });

  test("is filled up with blanks", () => {
    expect([padToWidth("東京", 6), padToWidth("abc", 2)]).toEqual(["東京  ", "abc"]);
  });
});

describe("a table", () => {
  const rows = [
    ["ID", "TASK", "STATE"],
    ["k1", "site/a-very-long-name-of-a-file.md", "failed"],
    ["k2", "東京/修正.md", "done"],
  ];

  test("is as wide as it gets without a terminal", () => {
    expect(table(rows)).toEqual([
      "ID  TASK                                STATE",
      "k1  site/a-very-long-name-of-a-file.md  failed",
      "k2  東京/修正.md                        done",
    ]);
  });

  test("fits the terminal: what may be cut is", () => {
    expect(table(rows, { columns: 31, flexible: [1] })).toEqual([
      "ID  TASK                 STATE",
      "k1  site/a-very-long-n…  failed",
      "k2  東京/修正.md         done",
    ]);
    for (const columns of [30, 31, 40, 45, 46, 80])
      for (const line of table(rows, { columns, flexible: [1] }))
        expect(stringWidth(line)).toBeLessThanOrEqual(columns);
  });

  test("cuts the widest of several, and leaves what is to know it by", () => {
    const wide = [["a".repeat(30), "b".repeat(20), "c".repeat(10)]];
    expect(table(wide, { columns: 44, flexible: [0, 1] })).toEqual([
      `${"a".repeat(14)}…  ${"b".repeat(14)}…  ${"c".repeat(10)}`,
    ]);
    expect(table(wide, { columns: 5, flexible: [0, 1] })).toEqual([
      `${"a".repeat(7)}…  ${"b".repeat(7)}…  ${"c".repeat(10)}`,
    ]);
  });

  test("leaves out what may be, where cutting is not enough", () => {
    const wide = [
      ["ID", "TASK", "MODEL", "TRY", "AGE"],
      ["k1", "a".repeat(20), "sonnet", "1", "5m"],
    ];
    const shown = (columns: number) => table(wide, { columns, flexible: [1], expendable: [3, 2] });
    expect(shown(32)[1]).toBe("k1  aaaaaaaaa…  sonnet  1    5m");
    expect(shown(30)).toEqual(["ID  TASK      MODEL   TRY  AGE", "k1  aaaaaaa…  sonnet  1    5m"]);
    expect(shown(29)).toEqual(["ID  TASK          MODEL   AGE", "k1  aaaaaaaaaaa…  sonnet  5m"]);
    expect(shown(24)).toEqual(["ID  TASK             AGE", "k1  aaaaaaaaaaaaaa…  5m"]);
    expect(shown(9)).toEqual(["ID  TASK      AGE", "k1  aaaaaaa…  5m"]);
    expect(table(wide, { flexible: [1], expendable: [3, 2] })).toHaveLength(2);
  });

  test("is painted after it is cut and filled up", () => {
    const painted = table(
      [
        ["A", "B"],
        ["longer", "x"],
      ],
      {
        paint: (padded, cell, row, column) => (row === 1 && column === 0 ? `<${cell}:${padded}>` : padded),
      },
    );
    expect(painted).toEqual(["A       B", "<longer:longer>  x"]);
  });
});
