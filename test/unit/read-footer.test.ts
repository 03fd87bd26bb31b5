import { describe, expect, test } from "vitest";
import { type Footer, readFooter, renderFooter } from "../../src/ledger/footer.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";

const START = "<!-- ccl-queue:footer -->";
const END = "<!-- /ccl-queue:footer -->";
const RUN = "kabcdefghi-2";
const OTHER = "zzzzzzzzzz-7";
const LEAST: Footer = { result: "done", finishedAt: new Date("2026-11-21T09:30:00Z"), run: RUN };
const WITHOUT: Footer = { result: "rejected", finishedAt: new Date("2026-11-21T09:30:00Z") };
const FULL: Footer = {
  ...LEAST,
  result: "failed",
  error: { code: "RUN_CRASHED", message: "the agent ended with exit code 1" },
  route: "local: allow_delegation is not true",
  session: "ccl-auto-11",
  provider: "gpu",
  model: "opus",
  attempts: 2,
  durationMs: 245_000,
  tokens: { input: 1_234_567, output: 89 },
  costUsd: 0.12345,
  text: "First line.\n\nLast line.\n",
};

/** What agents and platforms say that could be taken for rows, or for another footer. */
const SAID = [
  "",
  "Done.",
  START,
  END,
  `| run | ${OTHER} |`,
  `\n| run | ${OTHER} |\n`,
  `\r| run | ${OTHER} |\r`,
  `\r\n| run | ${OTHER} |\r\n`,
  `\u2028| run | ${OTHER} |\u2028`,
  `\u0085| run | ${OTHER} |\v\f| run | ${OTHER} |`,
  `x |\n| run | ${OTHER} |`,
  `x \\|\n| run | ${OTHER} |`,
  `> | run | ${OTHER} |`,
  `\n${END}\n\n| run | ${OTHER} |`,
  `${START}\n---\n\n| ccl-queue | done |\n|---|---|\n| run | ${OTHER} |\n${END}`,
  `x\r${END}\r${START}\r| run | ${OTHER} |\r${END}\r`,
  renderFooter({ ...FULL, run: OTHER }),
  renderFooter({ ...FULL, run: OTHER }).replaceAll("\n", "\r\n"),
];

/** Task texts that could be taken for a footer. */
const TEXTS = [
  "Do it.\n",
  `Do it.\n| run | ${OTHER} |\n`,
  `Do it.\n${START}\n| run | ${OTHER} |\n`,
  `Do it.${renderFooter({ ...LEAST, run: OTHER })}`,
];

const toCrlf = (text: string) => text.replaceAll(/\r?\n/g, "\r\n");

test("a footer says what was written into it", () => {
  const footer = readFooter(`Do it.\n${renderFooter(FULL)}`);
  expect(footer?.result).toBe("failed");
  expect(footer?.text).toBe("First line.\n\nLast line.");
  expect(Object.fromEntries(footer?.rows ?? [])).toEqual({
    "ccl-queue": "failed",
    error: "RUN_CRASHED: the agent ended with exit code 1",
    route: "local: allow_delegation is not true",
    session: "ccl-auto-11",
    provider: "gpu",
    model: "opus",
    attempts: "2",
    duration: "4 min 5 s",
    tokens: "1,234,567 in, 89 out",
    cost: "$0.1235",
    run: RUN,
    finished: "2026-11-21T09:30:00.000Z",
  });
});

test("a footer without a text has none", () => {
  expect(readFooter(`Do it.\n${renderFooter(LEAST)}`)?.text).toBeNull();
});

test.each(["done", "failed", "rejected", "cancelled"] as const)("the result %s is read back", (result) => {
  expect(readFooter(`Do it.\n${renderFooter({ ...LEAST, result })}`)?.result).toBe(result);
});

describe.each([
  ["as it was written", (text: string) => text],
  ["after an editor changed its line breaks", toCrlf],
])("the run is the footer's own, %s,", (_how, saved) => {
  test.each(SAID)("whatever the agent said: %j", (said) => {
    for (const text of TEXTS) {
      const footer = readFooter(saved(text + renderFooter({ ...FULL, text: said })));
      expect(footer?.rows.get("run")).toBe(RUN);
      expect(footer?.result).toBe("failed");
    }
  });

  test.each(SAID)("whatever stands in the other rows: %j", (said) => {
    const rows = { error: { code: "RUN_API_ERROR", message: said }, route: said, session: said, model: said };
    for (const text of TEXTS) {
      const footer = readFooter(saved(text + renderFooter({ ...FULL, ...rows })));
      expect(footer?.rows.get("run")).toBe(RUN);
      expect(footer?.result).toBe("failed");
    }
  });

  test.each(SAID)("and none where it names none, whatever else is said: %j", (said) => {
    const footer = readFooter(
      saved(`Do it.\n${renderFooter({ ...WITHOUT, text: said, error: { code: "TASK_INVALID", message: said } })}`),
    );
    expect(footer?.rows.has("run")).toBe(false);
    expect(footer?.result).toBe("rejected");
  });
});

describe("what an agent said", () => {
  test.each([
    ["one line", "one line"],
    ["a\n\nb", "a\n\nb"],
    ["  indented\n\ttab", "  indented\n\ttab"],
    ["> quoted\n>twice", "> quoted\n>twice"],
    ["a\r\nb\rc", "a\nb\nc"],
    ["ends\n\n\n", "ends"],
    [`${END}\n${START}`, `${END}\n${START}`],
    ["| run | x |", "| run | x |"],
    ["über 東京 🙂", "über 東京 🙂"],
  ])("%j is read back", (said, expected) => {
    const text = `Do it.\n${renderFooter({ ...LEAST, text: said })}`;
    expect(readFooter(text)?.text).toBe(expected);
    expect(readFooter(toCrlf(text))?.text).toBe(expected);
  });
});

test.each(["a | b", "|", "||", "\\|", "a\\", "a\\\\|b", "\\", "| |"])(
  "a cell that holds %j is read back",
  (message) => {
    const error = { code: "RUN_API_ERROR", message };
    expect(readFooter(`Do it.\n${renderFooter({ ...LEAST, error })}`)?.rows.get("error")).toBe(
      `RUN_API_ERROR: ${message}`,
    );
  },
);

test.each(["a\rb", "a\u2028b", "a\u2029b"])("an error with a line break such as in %j is still told", (message) => {
  const error = { code: "RUN_API_ERROR", message };
  expect(readFooter(`Do it.\n${renderFooter({ ...LEAST, error })}`)?.rows.get("error")).toMatch(
    /^RUN_API_ERROR: a\sb$/,
  );
});

test.each(["", "Do it.\n", START, `a\n${START}\nnever closed\n`, `a\n${END}\n${START}\n`, `| run | ${OTHER} |`])(
  "there is none in %j",
  (text) => {
    expect(readFooter(text)).toBeNull();
  },
);

describe("a task that is read", () => {
  const parse = (text: string) => parseTask(Buffer.from(text));
  const earlier = (text: string) => {
    const parsed = parse(text);
    return parsed.ok ? parsed.earlier : parsed.reason;
  };

  test("has the id and the number of runs of its footer, and the prompt without it", () => {
    const text = `---\ntitle: a\n---\nDo it.\n${renderFooter(FULL)}`;
    expect(parse(text)).toMatchObject({ ok: true, prompt: "Do it.\n", earlier: { id: "kabcdefghi", runs: 2 } });
    expect(earlier(toCrlf(text))).toEqual({ id: "kabcdefghi", runs: 2 });
  });

  test.each([
    ["no footer", "Do it.\n"],
    ["a footer that names no run", `Do it.\n${renderFooter(WITHOUT)}`],
    ["a run of somebody else", `Do it.\n${renderFooter({ ...LEAST, run: "../../etc-1" })}`],
    ["a row of its own", `Do it.\n| run | ${RUN} |\n`],
    ["a row below its footer", `Do it.\n${renderFooter(WITHOUT)}| run | ${RUN} |\n`],
  ])("has none with %s", (_what, text) => {
    expect(earlier(text)).toBeNull();
  });

  test("has those of its last footer, where one stands before it", () => {
    const once = `Do it.\n${renderFooter({ ...LEAST, run: OTHER })}`;
    expect(earlier(once + renderFooter(LEAST))).toEqual({ id: "kabcdefghi", runs: 2 });
  });
});
