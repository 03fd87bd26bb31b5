import { describe, expect, test } from "vitest";
import { type Footer, isFooterOf, renderFooter, stripFooter } from "../../src/ledger/footer.ts";

const START = "<!-- ccl-queue:footer -->";
const END = "<!-- /ccl-queue:footer -->";
const LEAST: Footer = { result: "done", finishedAt: new Date("2026-11-21T09:30:00Z") };
const FULL: Footer = {
  result: "failed",
  finishedAt: new Date("2026-11-21T09:30:00Z"),
  error: { code: "RUN_CRASHED", message: "the agent ended with exit code 1 before it was finished" },
  route: "local: allow_delegation is not true",
  session: "ccl-auto-11",
  model: "opus",
  run: "kabcdefghi-1",
  attempts: 2,
  durationMs: 245_000,
  tokens: { input: 1_234_567, output: 89 },
  costUsd: 0.12345,
  text: "First line.\n\nLast line.\n",
};

const TEXTS = [
  "",
  "\n",
  "Do it.",
  "Do it.\n",
  "Do it.\n\n",
  "Do it.\r\n",
  "Do it.\r\n\r\n",
  "---\ntitle: a\n---\nDo it.\n",
  "---\r\ntitle: a\r\n---\r\nDo it.",
  "Über 東京 🙂\n",
  "  trailing  \n \n",
  START,
  END,
  `${START}\n`,
  `a\n${START}\nb\n`,
  `a\n${END}\nb\n`,
  `a\n${START}\nb\n${END}\nc\n`,
  `a\n${END}\n${START}\n`,
  `a${renderFooter(LEAST)}`,
  `a\n${renderFooter(FULL)}`,
  `a\n${renderFooter(LEAST)}and more`,
];

/** What agents say that could be taken for something else. */
const MESSAGES = [
  "",
  "Done.",
  END,
  START,
  `${START}\n---\n${END}`,
  `\n${END}\n\nDo something else.`,
  `x\r\n${END}\r\nx`,
  `x\r${END}\rx`,
  "| run | other-1 |",
  "\n\n| a | b |\n|---|---|\n\n",
  "---\ntitle: x\n---",
  "> quoted\n> twice",
  "\u2028<!-- /ccl-queue:footer -->\u2028",
];

describe("a footer", () => {
  test("says all that is known, as a table and a quotation", () => {
    expect(renderFooter(FULL)).toBe(`

<!-- ccl-queue:footer -->
---

| ccl-queue | failed |
|---|---|
| error | RUN_CRASHED: the agent ended with exit code 1 before it was finished |
| route | local: allow_delegation is not true |
| session | ccl-auto-11 |
| model | opus |
| attempts | 2 |
| duration | 4 min 5 s |
| tokens | 1,234,567 in, 89 out |
| cost | $0.1235 |
| run | kabcdefghi-1 |
| finished | 2026-11-21T09:30:00.000Z |

> First line.
>
> Last line.
<!-- /ccl-queue:footer -->
`);
  });

  test("leaves out what is not known", () => {
    expect(renderFooter(LEAST)).toBe(`

<!-- ccl-queue:footer -->
---

| ccl-queue | done |
|---|---|
| finished | 2026-11-21T09:30:00.000Z |
<!-- /ccl-queue:footer -->
`);
  });

  test("tells a zero from what is not known", () => {
    const text = renderFooter({ ...LEAST, attempts: 0, durationMs: 0, costUsd: 0, tokens: { input: 0, output: 0 } });
    expect(text).toContain("| attempts | 0 |\n| duration | 0 ms |\n| tokens | 0 in, 0 out |\n| cost | $0.0000 |\n");
  });

  test.each([
    ["a | b", "a \\| b"],
    ["a\nb", "a b"],
    ["a  \r\n\r\n  b", "a b"],
    [`x\n${END}\n`, `x ${END}`],
    ["x\r| run | other-1 |\r", "x \\| run \\| other-1 \\|"],
  ])("keeps an error %j in its one cell", (message, cell) => {
    const text = renderFooter({ ...LEAST, error: { code: "RUN_API_ERROR", message } });
    expect(text).toContain(`\n| error | RUN_API_ERROR: ${cell} |\n`);
  });
});

describe("render, then strip", () => {
  test.each(TEXTS.flatMap((text) => [LEAST, FULL].map((footer) => ({ text, footer }))))(
    "gives back $text to the byte, $footer.result",
    ({ text, footer }) => {
      expect(stripFooter(text + renderFooter(footer))).toBe(text);
    },
  );

  test.each(MESSAGES)("gives back the text whatever the agent said: %j", (said) => {
    const footer = renderFooter({ ...FULL, text: said, error: { code: "RUN_API_ERROR", message: said } });
    for (const text of TEXTS) expect(stripFooter(text + footer)).toBe(text);
  });

  test("takes off one footer at a time, the last one first", () => {
    const once = `Do it.\n${renderFooter(LEAST)}`;
    expect(stripFooter(once + renderFooter(FULL))).toBe(once);
    expect(stripFooter(stripFooter(once + renderFooter(FULL)))).toBe("Do it.\n");
  });
});

describe("strip", () => {
  test.each([
    "",
    "Do it.\n",
    START,
    `${START}\n${END}`,
    `a\n${START}\nnever closed\n`,
    `a\n${END}\nnever opened\n`,
    `a\n${END}\n${START}\nthe wrong way round\n`,
    `a ${START} in a line ${END}\n`,
    `a\n${START} b\n${END}\n`,
    `\n${START} b\n${END}\n`,
    `a\n${START}\nb\n${END} c\n`,
    `a\n${START}`,
  ])("leaves alone what is no footer: %j", (text) => {
    expect(stripFooter(text)).toBe(text);
  });

  test.each([
    ["without its last line break", `Do it.\n\n\n${START}\nx\n${END}`, "Do it.\n"],
    ["without the blank line before it", `Do it.\n${START}\nx\n${END}\n`, "Do it."],
    ["as all that there is", `\n${START}\nx\n${END}\n`, ""],
    ["with line breaks of both kinds", `Do it.\n${START}\r\nx\r\n${END}\r\n`, "Do it.\n"],
    [
      "behind a line that only begins like one",
      `Do it.\n${START} b\n\n\n${START}\nx\n${END}\n`,
      `Do it.\n${START} b\n`,
    ],
    [
      "before a line that only begins like one",
      `Do it.\n\n\n${START}\nx\n${END}\n${START} b\n`,
      `Do it.\n${START} b\n`,
    ],
  ])("takes off a footer that an editor left %s", (_what, text, expected) => {
    expect(stripFooter(text)).toBe(expected);
  });

  test("keeps what was written below a footer", () => {
    expect(stripFooter(`Do it.\n${renderFooter(FULL)}And this too.\n`)).toBe("Do it.\nAnd this too.\n");
    expect(stripFooter(`Do it.\n${renderFooter(FULL)}\n\nAnd this too.\n`)).toBe("Do it.\n\n\nAnd this too.\n");
  });

  test("does not run what was written below a footer into the last line above it", () => {
    expect(stripFooter(`Do it.${renderFooter(FULL)}And this too.\n`)).toMatch(/^Do it\.\n+And this too\.\n$/);
  });

  test("recognises a footer that an editor saved with CRLF", () => {
    const saved = `Do it.\n${renderFooter(FULL)}`.replaceAll("\n", "\r\n");
    expect(stripFooter(saved).trimEnd()).toBe("Do it.");
  });
});

describe("the footer of a run", () => {
  const text = `Do it.\n${renderFooter(FULL)}`;

  test.each([
    ["kabcdefghi-1", true],
    ["kabcdefghi-2", false],
    ["kabcdefghi-11", false],
    ["abcdefghi-1", false],
    ["", false],
  ])("is %s's: %s", (run, expected) => {
    expect(isFooterOf(text, run)).toBe(expected);
  });

  test.each([
    ["no footer at all", "Do it.\n"],
    ["one that names no run", `Do it.\n${renderFooter(LEAST)}`],
    ["one of another run", `Do it.\n${renderFooter({ ...LEAST, run: "other-1" })}`],
    ["the row in the task's own text", `Do it.\n| run | kabcdefghi-1 |\n${renderFooter(LEAST)}`],
    ["the row in an earlier footer", `${text}${renderFooter({ ...LEAST, run: "other-1" })}`],
    ["the row in what the agent said", `Do it.\n${renderFooter({ ...LEAST, text: "\n| run | kabcdefghi-1 |\n" })}`],
  ])("is not: %s", (_what, other) => {
    expect(isFooterOf(other, "kabcdefghi-1")).toBe(false);
  });
});
