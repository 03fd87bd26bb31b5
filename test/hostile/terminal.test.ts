import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanJson, cleanLine, cleanLines } from "../../src/cli/clean.ts";
import { oneLine } from "../../src/core/one-line.ts";
import { readAnsi, stripAnsi } from "../../src/server/dashboard/ansi.ts";
import { Screen, WholeScreen } from "../../src/server/dashboard/screen.tsx";
import { forAll, forAllInProportion, leastMs } from "../helpers/hostile.ts";
import { json, piece, text } from "../helpers/hostile-inputs.ts";

/** What steers a terminal, breaks a line or turns its direction. */
const STEERING = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** The tags that a screen is made of, with nothing of the screen's own in them. */
const OUR_TAG =
  /<\/?(?:pre|code|section|b)(?: class="(?:screen|whole|[a-z\d ]*)"| role="img"| aria-label="pane"| tabindex="0")*>/g;
const ENTITY = /&(?:amp|lt|gt|quot|#39);/g;

describe("on a terminal", () => {
  forAll("a line steers nothing, and cleaning it again changes nothing", text, (given) => {
    const line = cleanLine(given);
    expect(line).not.toMatch(STEERING);
    expect(cleanLine(line)).toBe(line);
  });

  forAll("lines steer nothing, and are as many as there were", text, (given) => {
    const lines = cleanLines(given);
    expect(lines).toHaveLength(given.trimEnd().split("\n").length);
    expect(lines.join("")).not.toMatch(STEERING);
  });

  forAll("JSON steers nothing and means the same", json, (given) => {
    const plain = JSON.stringify(given);
    const clean = cleanJson(plain);
    expect(clean).not.toMatch(STEERING);
    expect(JSON.parse(clean)).toEqual(JSON.parse(plain));
  });

  forAll(
    "a text of a platform's is one line of so many characters",
    fc.tuple(text, fc.nat({ max: 60 })),
    ([given, max]) => {
      const line = oneLine(given, max + 1);
      expect(line.length).toBeLessThanOrEqual(max + 1);
      expect(line.replace(/…$/, "")).not.toMatch(/[\p{C}]|[^\P{Z} ]| {2}/u);
    },
  );
});

describe("on a page", () => {
  forAll("a screen has no character that a terminal acts on, and classes of ours alone", text, (given) => {
    for (const { text: shown, classes } of readAnsi(given).flat()) {
      expect(shown.replaceAll("\t", "")).not.toMatch(/\p{Cc}/u);
      expect(shown).not.toBe("");
      expect(classes).toMatch(/^(?:[fkr](?:1[0-6]|\d)|rx|[bdius])?(?: (?:k(?:1[0-6]|\d)|[bdius]))*$/);
    }
  });

  forAll(
    "a screen loses nothing that can be read",
    fc.array(fc.constantFrom("a", "<", "東", "\n", "\u001b[31m", " b"), { maxLength: 30 }),
    (given) => {
      const plain = given.filter((it) => !it.startsWith("\u001b")).join("");
      expect(stripAnsi(given.join("")).trimEnd()).toBe(plain.trimEnd());
    },
  );

  forAll("a screen brings no tag and no attribute of its own", text, (given) => {
    for (const html of [
      String(Screen({ text: given, lines: 12, bytes: 2_000, about: "pane" })),
      String(WholeScreen({ text: given, about: "pane" })),
    ]) {
      const rest = html.replace(OUR_TAG, "").replace(ENTITY, "");
      expect(rest).not.toMatch(/[<>"'&]/);
    }
  });
});

forAll("a card's screen costs no more than it may", text, (given) => {
  const frame = String(Screen({ text: "", lines: 8, bytes: 300, about: "pane" }));
  const html = String(Screen({ text: given.repeat(5), lines: 8, bytes: 300, about: "pane" }));
  expect(Buffer.byteLength(html) - Buffer.byteLength(frame)).toBeLessThanOrEqual(300 + "\n".length * 7);
});

forAllInProportion("a line is cleaned in a time in proportion to it", piece, cleanLine);
forAllInProportion("and so are lines", piece, cleanLines);
forAllInProportion("and JSON", piece, (given) => cleanJson(JSON.stringify(given)));
forAllInProportion("and what a platform says", piece, (given) => oneLine(given));
forAllInProportion("and a screen is read in such a time", piece, stripAnsi);

test.each([
  ["digits of a colour", "\u001b[", "1", "m"],
  ["colours", "\u001b[", "38:2::1:2:3;", "m"],
  ["colons", "\u001b[", ":", "m"],
  ["titles without an end", "", "\u001b]0;", ""],
  ["escapes", "", "\u001b", ""],
])("much of %s is read as fast as one of letters", (_what, start, unit, end) => {
  const length = 200_000;
  const lettersMs = leastMs(stripAnsi, "a b\n".repeat(length / 4), 3);
  expect(leastMs(stripAnsi, start + unit.repeat(length / unit.length) + end, 1)).toBeLessThan(64 * lettersMs);
});
