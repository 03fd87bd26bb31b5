import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import matter from "gray-matter";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { splitFrontmatter } from "../../src/ledger/frontmatter.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";

const parse = (text: string) => parseTask(Buffer.from(text));

describe("frontmatter in a programming language is never executed", () => {
  /** JavaScript that leaves a file behind when anybody runs it. */
  function program() {
    const dir = mkdtempSync(join(tmpdir(), "attack-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const trace = join(dir, "executed");
    const write = `process.getBuiltinModule("node:fs").writeFileSync(${JSON.stringify(trace)}, "")`;
    return { trace, code: `{ title: ${write} }` };
  }

  test("the program would leave its trace in gray-matter's own hands", () => {
    const { trace, code } = program();
    matter(`---js\n${code}\n---\nDo it.`, {});
    expect(existsSync(trace)).toBe(true);
  });

  test.each([
    "---js",
    "---javascript",
    "--- js",
    "---\tjs",
    "---JS",
    "---json",
    "---coffee",
    "---coffeescript",
    "---cson",
    "---toml",
    "---constructor",
    "---__proto__",
  ])("%s", (fence) => {
    const { trace, code } = program();
    const language = fence.slice(3).trim();
    for (const text of [`${fence}\n${code}\n---\nDo it.`, `${fence}\r\n${code}\r\n---\r\nDo it.`]) {
      expect(parse(text)).toEqual({
        ok: false,
        reason: `the frontmatter cannot be read: line 1: frontmatter in "${language}" is not read, only YAML is`,
      });
    }
    expect(existsSync(trace)).toBe(false);
  });

  test.each(["!!js/function", "!!js/undefined", "!!js/regexp"])("YAML's tag %s", (tag) => {
    const { trace, code } = program();
    expect(parse(`---\ntitle: ${tag} 'function(){ return ${code} }()'\n---\nDo it.`)).toHaveProperty("ok");
    expect(existsSync(trace)).toBe(false);
  });

  test.each(["eval", "language", "engines", "excerpt", "sections", "delimiters"])(
    "%s is a key like any other, not an option of the parser",
    (key) => {
      expect(parse(`---\n${key}: js\n---\nDo it.`)).toMatchObject({
        ok: true,
        prompt: "Do it.",
        warnings: [`${key}: not a key that ccl-queue knows`],
      });
    },
  );
});

describe("keys that every object has", () => {
  test.each([
    "__proto__: { polluted: true }",
    "constructor: { prototype: { polluted: true } }",
    "prototype: { polluted: true }",
    "title: { __proto__: { polluted: true } }",
    "<<: { __proto__: { polluted: true } }",
    "a: &a { __proto__: { polluted: true } }\nb: { <<: *a }",
  ])("change no other object: %j", (yaml) => {
    expect(parse(`---\n${yaml}\n---\nDo it.`)).toMatchObject({ ok: true, prompt: "Do it." });
    expect({}).not.toHaveProperty("polluted");
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  test("cannot stand in for a key of ours", () => {
    expect(parse("---\n__proto__: { priority: critical, needs_claude_code: true }\n---\nDo it.")).toMatchObject({
      ok: true,
      header: { priority: "default", needsClaudeCode: false },
    });
  });

  test.each(["toString", "hasOwnProperty", "valueOf", "__proto__", "constructor"])(
    "%s is one we do not know",
    (key) => {
      expect(parse(`---\n${key}: x\n---\nDo it.`)).toMatchObject({
        ok: true,
        warnings: [`${key}: not a key that ccl-queue knows`],
      });
    },
  );
});

describe("anchors", () => {
  test("may be used honestly", () => {
    expect(parse("---\ntitle: &name login\ntags: [*name, ci]\n---\nDo it.")).toMatchObject({
      ok: true,
      header: { title: "login", tags: ["login", "ci"] },
    });
  });

  test("that unfold into gigabytes are refused", () => {
    const level = (name: string, below: string) => `${name}: &${name} [${Array(9).fill(below).join(", ")}]`;
    const names = ["b", "c", "d", "e", "f", "g", "h", "i", "j"];
    const lines = names.map((name, index) => level(name, `*${"abcdefghi".charAt(index)}`));
    expect(parse(["---", level("a", "x"), ...lines, "---", "Do it."].join("\n"))).toEqual({
      ok: false,
      reason: expect.stringContaining("the frontmatter cannot be unfolded: Excessive alias count"),
    });
  });

  test("that stand for nothing are refused", () => {
    expect(parse("---\ntitle: *nothing\n---\nDo it.")).toEqual({
      ok: false,
      reason: expect.stringContaining("the frontmatter cannot be unfolded: Unresolved alias"),
    });
  });

  test("that hold themselves are no endless loop", () => {
    expect(parse("---\ntags: &tags [*tags]\n---\nDo it.")).toMatchObject({ ok: true, header: { tags: [] } });
  });
});

describe("never throws", () => {
  test.each([
    ["a list as deep as a file is long", `---\na: ${"[".repeat(20_000)}\n---\nDo it.`],
    ["a key with an object for its name", "---\n? { a: 1 }\n: b\n---\nDo it."],
    ["a separator that is no text", "---\nexcerpt_separator: { toString: 1 }\n---\nDo it."],
    ["a set", "---\n!!set { a }\n---\nDo it."],
    ["another document", "---\na: 1\n...\nb: 2\n---\nDo it."],
    ["a directive", "---\n%YAML 9.9\n---\nDo it."],
  ])("%s", (_what, text) => {
    vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    expect(() => parse(text)).not.toThrow();
  });

  test("on 2,000 files of random bytes and of pieces that mean something", () => {
    vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const random = seeded(20_261_121);
    const files = Array.from({ length: 2_000 }, (_, index) => (index % 2 === 0 ? noise(random) : collage(random)));
    const verdicts = files.map((file) => parseTask(file).ok);
    expect(new Set(verdicts)).toEqual(new Set([true, false]));
  });
});

/** mulberry32: the same numbers on every machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function noise(random: (below: number) => number): Uint8Array {
  const start = random(2) === 0 ? Buffer.from("---\n") : Buffer.alloc(0);
  return Buffer.concat([start, Buffer.from(Array.from({ length: random(200) }, () => random(256)))]);
}

const PIECES = [
  ..."---|\n|\r\n|: |- |[|]|{|}|\"|'|&a |*a|!!str |!!set |? |#|%YAML 1.1\n|...|>\n|\t|\uFEFF|\u0000|\u2028|🙂|<<: ".split(
    "|",
  ),
  ..."|\n---\n|title|priority: low\n|tags: [a]\n|__proto__: |constructor|excerpt_separator: ".split("|"),
  "<!-- ccl-queue:footer -->\n",
  "\n<!-- /ccl-queue:footer -->",
  "\n| run | a-1 |\n",
];

function collage(random: (below: number) => number): Uint8Array {
  const pieces = Array.from({ length: random(20) }, () => PIECES[random(PIECES.length)] ?? "");
  return Buffer.from(["---\n", ...pieces, "\n---\nDo it."].join(""));
}

describe("takes no time worth mention", () => {
  function elapsedMs(text: string): number {
    const startMs = performance.now();
    parse(text);
    return performance.now() - startMs;
  }

  test.each([
    ["blank lines in the frontmatter", `---\ntitle: a${"\n".repeat(40_000)}---\nDo it.`],
    ["keys", `---\n${Array.from({ length: 12_000 }, (_, index) => `k${index}: 1\n`).join("")}---\nDo it.`],
    ["spaces", `---\ntitle: ${" ".repeat(500_000)}a\n---\nDo it.`],
    ["fences", `---\ntitle: a\n${"---\n".repeat(100_000)}Do it.`],
    ["half footers", `Do it.${"\n<!-- ccl-queue:footer -->\n".repeat(20_000)}`],
  ])("with a great many %s", (_what, text) => {
    expect(elapsedMs(text)).toBeLessThan(500);
  });
});

test("a strange file does not speak on the daemon's stderr", () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  parse("---\n? { a: 1 }\n: b\ntitle: !strange x\n---\nDo it.");
  expect(warn).not.toHaveBeenCalled();
});

describe("one file says nothing about the next", () => {
  const TEXT = "---\ntitle: a\ntags: [x]\n---\nDo it.";

  test("the same text read twice is read twice: what was done to the first result does not show", () => {
    const first = splitFrontmatter(TEXT);
    if (!first.ok) throw new Error(first.reason);
    Object.assign(Object(first.data), { title: "changed", priority: "critical" });
    expect(splitFrontmatter(TEXT)).toEqual({ ok: true, data: { title: "a", tags: ["x"] }, body: "Do it." });
  });

  test("gray-matter's cache stays empty", () => {
    parse(TEXT);
    expect(Object.keys(Object(Reflect.get(matter, "cache")))).toEqual([]);
  });

  test("a text whose reading failed fails again", () => {
    const text = "---\ntitle: [a\n---\nDo it.";
    expect(parse(text)).toMatchObject({ ok: false });
    expect(parse(text)).toEqual(parse(text));
  });
});
