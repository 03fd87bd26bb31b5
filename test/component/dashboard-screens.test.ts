import { describe, expect, test } from "vitest";
import { readAnsi, stripAnsi } from "../../src/server/dashboard/ansi.ts";

const ESC = "\u001b";
const BELL = "\u0007";
/** Each line's pieces as `classes:text`, or the text alone. */
const seen = (text: string) =>
  readAnsi(text).map((line) => line.map((piece) => (piece.classes ? `${piece.classes}:${piece.text}` : piece.text)));

describe("a terminal's text", () => {
  test.each<[string, string[][]]>([
    ["plain", [["plain"]]],
    ["one\ntwo", [["one"], ["two"]]],
    [`${ESC}[31mred${ESC}[0m and not`, [["f1:red", " and not"]]],
    [`${ESC}[mplain`, [["plain"]]],
    [`${ESC}[91;44mbright on blue`, [["f9 k4:bright on blue"]]],
    [`${ESC}[1;3;4;9mall${ESC}[22;23;24;29mnone`, [["b i u s:all", "none"]]],
    [`${ESC}[2mfaint${ESC}[31mred`, [["d:faint", "f1:red"]]],
    [`${ESC}[7mturned${ESC}[31mred${ESC}[27mback`, [["rx:turned", "r1:red", "f1:back"]]],
    [`${ESC}[38;5;9ma${ESC}[48;5;236mb`, [["f9:a", "f9 k0:b"]]],
    [`${ESC}[38;2;215;119;87morange${ESC}[39mown`, [["f16:orange", "own"]]],
    [`${ESC}[38:2::215:119:87mcolons${ESC}[4:3mwavy${ESC}[4:0mno`, [["f16:colons", "f16 u:wavy", "f16:no"]]],
    [`${ESC}[38;5;231mwhite${ESC}[38;5;16mblack`, [["f15:white", "f0:black"]]],
    [`${ESC}[31mred\nstill`, [["f1:red"], ["f1:still"]]],
    ["text\n\n   \n", [["text"]]],
    [`text\n${ESC}[0m\n${ESC}[31m  `, [["text"]]],
    ["", []],
  ])("%j has these pieces", (text, pieces) => {
    expect(seen(text)).toEqual(pieces);
  });

  test.each([
    [`${ESC}]0;a title${BELL}text`, "text"],
    [`${ESC}]2;a title${ESC}\\text`, "text"],
    [`${ESC}]8;;https://evil.example${ESC}\\a link${ESC}]8;;${ESC}\\!`, "a link!"],
    [`${ESC}]8;;https://evil.example${BELL}a link${ESC}]8;;${BELL}!`, "a link!"],
    [`${ESC}]52;c;cm0gLXJm${BELL}text`, "text"],
    [`${ESC}]0;no end\nnext line`, "\nnext line"],
    [`${ESC}P1;2qsixel${ESC}\\text`, "text"],
    [`${ESC}_apc${ESC}\\${ESC}^pm${ESC}\\${ESC}Xsos${ESC}\\text`, "text"],
    [`${ESC}[2J${ESC}[1;1H${ESC}[?25l${ESC}[>4;1mtext`, "text"],
    [`${ESC}(Btext${ESC}=${ESC}7${ESC}c!`, "text!"],
    [`a\u0000\u0008\u000e\u000f\u007f\u0085\u009b\r\nb`, "a\nb"],
    [`${ESC}[31mc\u0000\u0008\u009bd${ESC}[0m\u007f`, "cd"],
    [`text${ESC}`, "text"],
    [`text${ESC}[`, "text"],
    [`text${ESC}[38;5m!`, "text!"],
    [`text${ESC}[38;2;999;-1;xm`, "text1;xm"],
    ["tab\there", "tab\there"],
  ])("%j reads %j", (text, shown) => {
    expect(stripAnsi(text)).toBe(shown);
  });

  test("keeps markup as text: what shows it escapes it", () => {
    expect(seen(`${ESC}[31m<img src=x onerror=alert(1)>`)).toEqual([["f1:<img src=x onerror=alert(1)>"]]);
  });

  test("has classes of letters and numbers alone, whatever the sequences say", () => {
    const wild = Array.from({ length: 2_000 }, (_, index) => `${ESC}[${index};${index * 7}m${ESC}[38;5;${index}mx`);
    const classes = readAnsi(wild.join("")).flatMap((line) => line.map((piece) => piece.classes));
    expect(classes).toHaveLength(2_000);
    expect(classes.filter((names) => !/^(?:[a-z]\w{0,2}(?: |$))*$/.test(names))).toEqual([]);
  });

  test("is read in a time that grows with its length alone", () => {
    const started = performance.now();
    for (const part of [`${ESC}]`, `${ESC}[`, `${ESC}[1;`, `${ESC}P`, `${ESC}[38:2`, "\n "])
      readAnsi(part.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
