import fc from "fast-check";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { COMPLEXITIES, PREFERRED_AI, PRIORITIES } from "../../src/core/task.ts";
import { stripFooter } from "../../src/ledger/footer.ts";
import { type ParsedTask, parseTask } from "../../src/ledger/parse-task.ts";
import { withPriority } from "../../src/ledger/write-task.ts";
import { forAll, forAllInProportion, leastMs } from "../helpers/hostile.ts";
import { bytes, line, piece, text, written } from "../helpers/hostile-inputs.ts";

const yesNo = z.union([z.boolean(), z.literal("unknown")]);
const headerSchema = z.strictObject({
  title: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  tags: z.array(z.string()),
  needsClaudeCode: yesNo,
  preferredAi: z.enum([...PREFERRED_AI, "unknown"]),
  allowDelegation: yesNo,
  complexityHint: z.enum([...COMPLEXITIES, "none", "unknown"]),
  timeoutMs: z.int().min(1).nullable(),
});
const earlierSchema = z.strictObject({ id: z.string().regex(/^[a-z2-9]{10}$/), runs: z.int().min(0) }).nullable();
/** What a person reads in the footer and in the log. */
const READABLE = /^[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]{5,400}$/u;

const FOOTER = "<!-- ccl-queue:footer -->";

const parse = (given: string) => parseTask(Buffer.from(given));
const framed = (header: string, body: string) => `---\n${header}\n---\n${body}`;
const accepted = (task: ParsedTask) => {
  if (!task.ok) throw new Error(task.reason);
  return task;
};

function expectWellFormed(task: ParsedTask): void {
  if (!task.ok) {
    expect(Object.keys(task).sort()).toEqual(["ok", "reason"]);
    expect(task.reason).toMatch(READABLE);
    return;
  }
  expect(headerSchema.safeParse(task.header).error).toBeUndefined();
  expect(earlierSchema.safeParse(task.earlier).error).toBeUndefined();
  expect(task.prompt.trim()).not.toBe("");
  expect(task.prompt).not.toContain("\0");
  for (const warning of task.warnings) expect(warning).toMatch(READABLE);
}

/** Lines of a header, and of what only looks like one. */
const headerLine = fc.oneof(
  fc
    .tuple(fc.constantFrom("title", "priority", "tags", "timeout", "needs_claude_code", "x"), line)
    .map((all) => all.join(": ")),
  fc.array(piece, { maxLength: 6 }).map((all) => all.join("")),
);
const header = fc.array(headerLine, { maxLength: 6 }).map((lines) => lines.join("\n"));
/** Headers that nest, refer to themselves or repeat without measure. */
const bomb = fc
  .tuple(piece, piece, fc.nat({ max: 5_000 }), piece)
  .map(([start, unit, count, end]) => start + unit.repeat(count) + end);
const values = fc.record(
  {
    title: line.filter((it) => it !== ""),
    priority: fc.constantFrom(...PRIORITIES),
    tags: fc.array(line, { maxLength: 4 }),
    needs_claude_code: fc.boolean(),
    preferred_ai: fc.constantFrom(...PREFERRED_AI),
    allow_delegation: fc.boolean(),
    complexity_hint: fc.constantFrom(...COMPLEXITIES),
  },
  { requiredKeys: [] },
);

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockImplementation(() => {});
});

describe("a task file is read or refused with a reason that a person can read, and never throws", () => {
  forAll("whatever its bytes are", bytes, (given) => expectWellFormed(parseTask(given)));

  forAll("whatever its frontmatter says", fc.tuple(header, text), ([given, body]) =>
    expectWellFormed(parse(framed(given, body))),
  );

  forAll("however deep its frontmatter is nested", bomb, (given) => expectWellFormed(parse(framed(given, "Do it."))), {
    batch: 20,
  });

  forAll("and gives no other answer when it is read again", bytes, (given) =>
    expect(parseTask(given)).toEqual(parseTask(given)),
  );
});

describe("what a task file says", () => {
  forAll(
    "is what was written into its header, and its prompt to the byte",
    fc.tuple(values, written),
    ([given, body]) => {
      const prompt = `Do it. ${body.replaceAll("\0", "").replaceAll("ccl-queue:footer", "")}`;
      const yaml = stringify(given, { lineWidth: 0, defaultStringType: "QUOTE_DOUBLE" });
      const task = accepted(parse(framed(yaml.trimEnd(), prompt)));
      expect(task.prompt).toBe(prompt);
      expect(task.warnings).toEqual([]);
      expect(task.header).toMatchObject({
        title: given.title ?? null,
        priority: given.priority ?? "default",
        tags: given.tags ?? [],
        needsClaudeCode: given.needs_claude_code ?? false,
        preferredAi: given.preferred_ai ?? "auto",
        allowDelegation: given.allow_delegation ?? false,
        complexityHint: given.complexity_hint ?? "none",
      });
    },
  );

  forAll("without frontmatter is its text", written, (given) => {
    const body = `Do it. ${given.replaceAll("\0", "")}`;
    expect(accepted(parse(body)).prompt).toBe(stripFooter(body));
  });

  forAll(
    "stays the same when it is given a priority",
    fc.tuple(header, written, fc.constantFrom(...PRIORITIES)),
    (given) => {
      const [raw, body, priority] = given;
      const yaml = Buffer.from(raw).toString();
      for (const whole of [framed(yaml, body), body]) {
        const task = parse(whole);
        // Another key may refer to its value. And what looks like a footer that begins in a header, or right below it, is one.
        if (!task.ok || yaml.includes("&") || yaml.includes(FOOTER) || body.startsWith(FOOTER)) continue;
        const again = accepted(parse(withPriority(whole, priority)));
        expect(again).toMatchObject({ prompt: task.prompt, header: { ...task.header, priority } });
      }
    },
  );
});

test.each([
  "priority: !!binary low",
  "priority: !x low",
  "priority: [low]",
  "!!binary\ntitle: x",
  "!!binary \ntitle: !!binary ",
  "\t ",
  "...",
  "# none",
  "\u2028priority: low",
  "\ufeffpriority: low",
  " \ufeffpriority: low",
  "\ufeff---",
  "\ufeff--- {title: x} # why",
])("a header of %j can be given a priority", (yaml) => {
  const task = accepted(parse(withPriority(framed(yaml, "Do it."), "high")));
  expect(task).toMatchObject({ prompt: "Do it.", header: { priority: "high" } });
});

test("a byte order mark in a header is no part of a key, before and after it is given a priority", () => {
  const text = framed(" \ufeffneeds_claude_code: true\n", "Do it.");
  for (const one of [text, withPriority(text, "high")]) expect(accepted(parse(one)).header.needsClaudeCode).toBe(true);
});

describe("nothing in a task file is executed", () => {
  const program = 'globalThis["executed"] = true';
  const language = fc.oneof(fc.constantFrom("js", "javascript", "coffee", "cson", "json", "toml", "JS", "js "), line);

  forAll("whatever language its frontmatter claims to be in", fc.tuple(language, header), ([fence, yaml]) => {
    for (const code of [`{ title: ${program} }`, `module.exports = (${program})`, yaml]) {
      const task = parse(`---${fence}\n${code}\n---\nDo it.`);
      expectWellFormed(task);
      const isRead = ["", "yaml"].includes(fence.trim()) || fence.startsWith("-") || /[\r\n]/.test(fence);
      if (!isRead) expect(task.ok).toBe(false);
    }
    expect(Reflect.has(globalThis, "executed")).toBe(false);
  });
});

forAllInProportion("a task file takes time in proportion to its size", piece, parse);
describe("the longest frontmatter that is read", () => {
  const LENGTH = 16_000;
  const filled = (unit: string) => framed(unit.repeat(LENGTH / unit.length), "Do it.");
  const honest = filled("some key: 1\n");

  test.each(["\n", " \n", "\r\n", "\u2028", "- a\n", "#\n", "&a\n", "'", '"\\\n', "k: 1\n", "[]\n", "!x ", "*a "])(
    "costs no more than many an honest one where it is all %j",
    (unit) => {
      expect(leastMs(parse, filled(unit), 2)).toBeLessThan(64 * leastMs(parse, honest, 3));
    },
  );

  test.each([
    "[",
    "{",
    "{a: ",
    "[? ",
    "[: ",
    "- ",
    "? ",
    "- ? ",
    "- a: ",
    ": ",
    "? \t",
    "- \r",
    "[\n",
    "&a [",
    "!x - ",
  ])("is refused before anybody follows it down, where it is all %j", (unit) => {
    const reason = "the frontmatter cannot be read: it has more brackets and levels than a header needs";
    expect(parse(filled(unit))).toEqual({ ok: false, reason });
  });

  test.each<[string, (level: number) => string]>([
    ["keys", (level) => `${" ".repeat(level)}a:\n`],
    ["lists", (level) => `${" ".repeat(level)}-\n`],
    ["keys that are no words", (level) => `${" ".repeat(level)}?\n`],
    ["keys in lists", (level) => `${" ".repeat(2 * level)}- a:\n`],
  ])("is read or refused where its lines nest: %s", (_what, lineAt) => {
    let lines = "";
    for (let level = 0; lines.length + lineAt(level).length < LENGTH; level += 1) lines += lineAt(level);
    expectWellFormed(parse(framed(lines, "Do it.")));
  });

  test("may have a list of a thousand tags, and a title with as many words as fit", () => {
    const tags = Array.from({ length: 1_000 }, (_, index) => `  - tag-${index}`);
    const title = "fix [the] test: ".repeat(20);
    const task = accepted(parse(framed(["tags:", ...tags, `title: "${title}"`].join("\n"), "Do it.")));
    expect(task.header).toMatchObject({ title, tags: { length: 1_000 } });
  });

  test.each(["? [a]\n: b", "? { a: 1 }\n: b", "{ [a]: b }", "x: { ? { a: 1 } : b }"])(
    "has words for its keys: %j is refused",
    (yaml) => {
      expect(parse(framed(yaml, "Do it."))).toEqual({
        ok: false,
        reason: expect.stringContaining("a key has to be a word"),
      });
    },
  );

  test.each(["!!set { a }", "!!omap [a: 1]", "!!set\n? a"])("is a list of keys: %j is none", (yaml) => {
    expect(parse(framed(yaml, "Do it."))).toMatchObject({ ok: false });
  });
});
