import { describe, expect, test } from "vitest";
import type { TaskHeader } from "../../src/core/task.ts";
import { MAX_TASK_BYTES, type ParsedTask, parseTask } from "../../src/ledger/parse-task.ts";

const PLAIN: TaskHeader = {
  title: null,
  priority: "default",
  tags: [],
  needsClaudeCode: false,
  preferredAi: "auto",
  allowDelegation: false,
  complexityHint: "none",
  timeoutMs: null,
};
const FULL = `---
title: Fix the flaky login test
priority: high            # critical | high | default | low
tags: [ci, login]
needs_claude_code: false
preferred_ai: auto        # auto | claude-code | gpu | gemini | claude-api
allow_delegation: true    # default false
complexity_hint: low      # low | medium | high
---
The body is the prompt.
`;
const FULL_HEADER: TaskHeader = {
  ...PLAIN,
  title: "Fix the flaky login test",
  priority: "high",
  tags: ["ci", "login"],
  allowDelegation: true,
  complexityHint: "low",
};

const parse = (text: string) => parseTask(Buffer.from(text));
const withHeader = (...lines: string[]) => parse(["---", ...lines, "---", "Do it."].join("\n"));

function accepted(task: ParsedTask) {
  if (!task.ok) throw new Error(`rejected: ${task.reason}`);
  return task;
}

function reasonOf(task: ParsedTask): string {
  if (task.ok) throw new Error(`accepted: ${JSON.stringify(task)}`);
  return task.reason;
}

describe("a task file", () => {
  test("with every key is read as it says", () => {
    expect(parse(FULL)).toEqual({
      ok: true,
      header: FULL_HEADER,
      prompt: "The body is the prompt.\n",
      warnings: [],
      earlier: null,
    });
  });

  test.each([
    ["Do it.", "Do it."],
    ["\n\n  Do it.  \n\n", "\n\n  Do it.  \n\n"],
    ["Do it.\n---\ntitle: x\n---\n", "Do it.\n---\ntitle: x\n---\n"],
    ["----\ntitle: x\n----\n", "----\ntitle: x\n----\n"],
    [" ---\ntitle: x\n---\n", " ---\ntitle: x\n---\n"],
    ["# Title\n\nText with --- in it.", "# Title\n\nText with --- in it."],
  ])("without frontmatter is all prompt, to the byte: %j", (text, prompt) => {
    expect(parse(text)).toEqual({ ok: true, header: PLAIN, prompt, warnings: [], earlier: null });
  });

  test.each([
    ["---\ntitle: a\n---\nDo it.", "Do it."],
    ["---\ntitle: a\n---\n\n  Do it.\n\n", "\n  Do it.\n\n"],
    ["---   \ntitle: a\n---\nDo it.", "Do it."],
    ["---yaml\ntitle: a\n---\nDo it.", "Do it."],
    ["--- yaml\ntitle: a\n---\nDo it.", "Do it."],
    ["---\ntitle: a\n---\nDo it.\n---\nAnd this.\n---\n", "Do it.\n---\nAnd this.\n---\n"],
    ["---\ntitle: a\n---\nÜber 東京 🙂\n", "Über 東京 🙂\n"],
  ])("with frontmatter has the rest as its prompt, to the byte: %j", (text, prompt) => {
    expect(accepted(parse(text))).toMatchObject({ prompt, header: { title: "a" } });
  });

  test("of Windows, with CRLF, says the same", () => {
    expect(parse(FULL.replaceAll("\n", "\r\n"))).toEqual({
      ok: true,
      header: FULL_HEADER,
      prompt: "The body is the prompt.\r\n",
      warnings: [],
      earlier: null,
    });
  });

  test.each([FULL, FULL.replaceAll("\n", "\r\n"), "Do it.\n"])("may start with a byte order mark: %j", (text) => {
    expect(parse(`\uFEFF${text}`)).toEqual(parse(text));
  });

  test("counts for nothing below a footer that stood above it either: put back, the file begins with it", () => {
    const footer = "\n<!-- ccl-queue:footer -->\n\n<!-- /ccl-queue:footer -->\n";
    const text = "\uFEFF---\npriority: high\n---\nDo it.";
    expect(parse(footer + text)).toEqual(parse(text));
  });

  test.each(["", "\n", "# only a comment\n", "null\n", "~ # nothing\n"])(
    "may have frontmatter that says nothing: %j",
    (header) => {
      expect(parse(`---\n${header}---\nDo it.`)).toEqual({
        ok: true,
        header: PLAIN,
        prompt: "Do it.",
        warnings: [],
        earlier: null,
      });
    },
  );

  test("may have a line as long as a file can be", () => {
    const line = "x".repeat(MAX_TASK_BYTES);
    expect(accepted(parse(line)).prompt).toBe(line);
  });

  test("may have a title as long as its frontmatter can be", () => {
    const title = "x".repeat(16_384 - "---\ntitle: ".length);
    expect(accepted(withHeader(`title: ${title}`)).header.title).toBe(title);
  });
});

describe("a known key", () => {
  test.each<[string, Partial<TaskHeader>]>([
    ["title: Fix it", { title: "Fix it" }],
    ["title: 42", { title: "42" }],
    ['title: "true"', { title: "true" }],
    ["priority: critical", { priority: "critical" }],
    ["priority: high", { priority: "high" }],
    ["priority: default", { priority: "default" }],
    ["priority: low", { priority: "low" }],
    ["tags: [a, b]", { tags: ["a", "b"] }],
    ["tags: single", { tags: ["single"] }],
    ["tags: 2026", { tags: ["2026"] }],
    ["tags: [1, two]", { tags: ["1", "two"] }],
    ["tags: []", { tags: [] }],
    ["needs_claude_code: true", { needsClaudeCode: true }],
    ["needs_claude_code: false", { needsClaudeCode: false }],
    ["preferred_ai: auto", { preferredAi: "auto" }],
    ["preferred_ai: claude-code", { preferredAi: "claude-code" }],
    ["preferred_ai: gpu", { preferredAi: "gpu" }],
    ["preferred_ai: gemini", { preferredAi: "gemini" }],
    ["preferred_ai: claude-api", { preferredAi: "claude-api" }],
    ["allow_delegation: true", { allowDelegation: true }],
    ["allow_delegation: false", { allowDelegation: false }],
    ["complexity_hint: low", { complexityHint: "low" }],
    ["complexity_hint: medium", { complexityHint: "medium" }],
    ["complexity_hint: high", { complexityHint: "high" }],
    ["timeout: 30m", { timeoutMs: 1_800_000 }],
    ["timeout: 2h", { timeoutMs: 7_200_000 }],
    ["timeout: 1.5h", { timeoutMs: 5_400_000 }],
    ['timeout: "90 s"', { timeoutMs: 90_000 }],
    ["timeout: 1ms", { timeoutMs: 1 }],
    ["timeout: 30d", { timeoutMs: 2_592_000_000 }],
  ])("%s", (line, header) => {
    expect(withHeader(line)).toEqual({
      ok: true,
      header: { ...PLAIN, ...header },
      prompt: "Do it.",
      warnings: [],
      earlier: null,
    });
  });

  test.each([
    "title",
    "priority",
    "tags",
    "needs_claude_code",
    "preferred_ai",
    "allow_delegation",
    "complexity_hint",
    "timeout",
  ])("%s with nothing behind it is as good as left out", (key) => {
    expect(withHeader(`${key}:`)).toEqual({ ok: true, header: PLAIN, prompt: "Do it.", warnings: [], earlier: null });
  });
});

describe("an unknown value of a known key falls back to what is safe, with a warning", () => {
  test.each<[string, Partial<TaskHeader>, string]>([
    ["priority: urgent", { priority: "default" }, "priority: 'urgent' is not one of critical, high, default, low"],
    ["priority: High", { priority: "default" }, "priority: 'High' is not one of critical, high, default, low"],
    ["priority: 1", { priority: "default" }, "priority: 1 is not one of critical, high, default, low"],
    ["priority: [high]", { priority: "default" }, "priority: [ 'high' ] is not one of critical, high, default, low"],
    [
      "needs_claude_code: maybe",
      { needsClaudeCode: "unknown" },
      "needs_claude_code: 'maybe' is not one of true, false",
    ],
    ["needs_claude_code: yes", { needsClaudeCode: "unknown" }, "needs_claude_code: 'yes' is not one of true, false"],
    [
      'needs_claude_code: "true"',
      { needsClaudeCode: "unknown" },
      "needs_claude_code: 'true' is not one of true, false",
    ],
    [
      "needs_claude_code: unknown",
      { needsClaudeCode: "unknown" },
      "needs_claude_code: 'unknown' is not one of true, false",
    ],
    ["allow_delegation: 1", { allowDelegation: "unknown" }, "allow_delegation: 1 is not one of true, false"],
    [
      "allow_delegation: unknown",
      { allowDelegation: "unknown" },
      "allow_delegation: 'unknown' is not one of true, false",
    ],
    [
      "preferred_ai: gpt",
      { preferredAi: "unknown" },
      "preferred_ai: 'gpt' is not one of auto, claude-code, gpu, gemini, claude-api",
    ],
    [
      "preferred_ai: unknown",
      { preferredAi: "unknown" },
      "preferred_ai: 'unknown' is not one of auto, claude-code, gpu, gemini, claude-api",
    ],
    ["complexity_hint: 3", { complexityHint: "unknown" }, "complexity_hint: 3 is not one of low, medium, high"],
    ["complexity_hint: none", { complexityHint: "unknown" }, "complexity_hint: 'none' is not one of low, medium, high"],
    [
      "complexity_hint: { deep: { er: 1 } }",
      { complexityHint: "unknown" },
      "complexity_hint: { deep: [Object] } is not one of low, medium, high",
    ],
    ["timeout: 0s", { timeoutMs: null }, "timeout: '0s' is not a duration such as 30m or 2h"],
    ["timeout: 0.0001ms", { timeoutMs: null }, "timeout: '0.0001ms' is not a duration such as 30m or 2h"],
    ["timeout: -1", { timeoutMs: null }, "timeout: -1 is not a duration such as 30m or 2h"],
    ["timeout: -1m", { timeoutMs: null }, "timeout: '-1m' is not a duration such as 30m or 2h"],
    ["timeout: 30", { timeoutMs: null }, "timeout: 30 is not a duration such as 30m or 2h"],
    ["timeout: soon", { timeoutMs: null }, "timeout: 'soon' is not a duration such as 30m or 2h"],
    ["timeout: 1h30m", { timeoutMs: null }, "timeout: '1h30m' is not a duration such as 30m or 2h"],
    ['timeout: ""', { timeoutMs: null }, "timeout: '' is not a duration such as 30m or 2h"],
    ["timeout: true", { timeoutMs: null }, "timeout: true is not a duration such as 30m or 2h"],
    ["timeout: [2h]", { timeoutMs: null }, "timeout: [ '2h' ] is not a duration such as 30m or 2h"],
  ])("%s", (line, header, warning) => {
    expect(withHeader(line)).toEqual({
      ok: true,
      header: { ...PLAIN, ...header },
      prompt: "Do it.",
      warnings: [warning],
      earlier: null,
    });
  });

  test.each<[string, Partial<TaskHeader>]>([
    ["title: [a, b]", { title: null }],
    ["title: true", { title: null }],
    ["tags: { a: 1 }", { tags: [] }],
    ["tags: [a, [b]]", { tags: [] }],
  ])("%s", (line, header) => {
    const { warnings, ...task } = accepted(withHeader(line));
    expect(task).toEqual({ ok: true, header: { ...PLAIN, ...header }, prompt: "Do it.", earlier: null });
    expect(warnings).toHaveLength(1);
  });

  test("and the warning does not grow with the value", () => {
    const { warnings } = accepted(withHeader(`priority: ${"x".repeat(10_000)}`));
    expect(warnings).toEqual([`priority: '${"x".repeat(79)} is not one of critical, high, default, low`]);
  });
});

test("unknown keys are warned about, each", () => {
  const { header, warnings } = accepted(withHeader("prio: high", "title: a", "Priority: low", "estimate: 2h"));
  expect(header).toEqual({ ...PLAIN, title: "a" });
  expect(warnings).toEqual([
    "prio: not a key that ccl-queue knows",
    "Priority: not a key that ccl-queue knows",
    "estimate: not a key that ccl-queue knows",
  ]);
});

describe("a file that cannot be run is rejected, saying why", () => {
  const UNREADABLE = "the frontmatter cannot be read: ";

  test.each([
    ["---\ntitle: a\nDo it.\n", "line 1: the frontmatter is opened by --- and never closed"],
    ["---", "line 1: the frontmatter is opened by --- and never closed"],
    ["---\r\ntitle: a\r\n", "line 1: the frontmatter is opened by --- and never closed"],
    ["---\ntitle: a\n ---\nDo it.", "line 1: the frontmatter is opened by --- and never closed"],
    ["---\n- a\n- b\n---\nDo it.", "line 2: the frontmatter is not a list of keys"],
    ["---\njust text\n---\nDo it.", "line 2: the frontmatter is not a list of keys"],
    ["---\n42\n---\nDo it.", "line 2: the frontmatter is not a list of keys"],
  ])("%j", (text, reason) => {
    expect(reasonOf(parse(text))).toBe(UNREADABLE + reason);
  });

  test.each([
    ["an unclosed bracket", "---\ntitle: a\ntags: [a, b\n---\nDo it.", "line 3, column 12: "],
    ["a tab", "---\na:\n\t- b\n---\nDo it.", "line 3, column 1: Tabs"],
    ["a key said twice", "---\ntitle: a\npriority: low\ntitle: b\n---\nDo it.", "line 4, column 1: Map keys"],
    ["an unclosed quote", '---\npriority: low\ntitle: "a\n---\nDo it.', "line 3, column 10: Missing closing"],
    ["a second colon", "---\ntitle: Fix: the test\n---\nDo it.", "line 2, column 8: Nested mappings"],
    ["the same after a comment", "---\n# c\n\ntitle: Fix: it\n---\nDo it.", "line 4, column 8: Nested mappings"],
    ["the same behind ---yaml", "---yaml\ntitle: Fix: it\n---\nDo it.", "line 2, column 8: Nested mappings"],
  ])("YAML that does not parse: %s, with its line and column in the file", (_what, text, place) => {
    expect(reasonOf(parse(text))).toMatch(new RegExp(`^${UNREADABLE}${place}[^\n]*$`));
    expect(reasonOf(parse(`\uFEFF${text.replaceAll("\n", "\r\n")}`))).toMatch(
      new RegExp(`^${UNREADABLE}${place}[^\n]*$`),
    );
  });

  test.each(["", "\n", "  \r\n\t\n", "---\ntitle: a\n---\n", "---\ntitle: a\n---", "---\n---\n \n", "\uFEFF"])(
    "nothing to do: %j",
    (text) => {
      expect(reasonOf(parse(text))).toBe("there is nothing to do: the text after the frontmatter is empty");
    },
  );

  test("frontmatter longer than any header needs, which would keep the daemon busy", () => {
    expect(reasonOf(withHeader(`title: ${"x".repeat(16_385 - "---\ntitle: ".length)}`))).toBe(
      `${UNREADABLE}it is longer than 16 KiB`,
    );
  });

  test("larger than 1 MiB, by a byte", () => {
    expect(MAX_TASK_BYTES).toBe(1_048_576);
    expect(accepted(parseTask(Buffer.alloc(MAX_TASK_BYTES, "x"))).prompt).toHaveLength(MAX_TASK_BYTES);
    expect(reasonOf(parseTask(Buffer.alloc(MAX_TASK_BYTES + 1, "x")))).toBe(
      "the file is larger than 1 MiB (1048577 bytes)",
    );
  });

  test.each([
    ["latin-1", Buffer.from("Über", "latin1")],
    ["UTF-16", Buffer.from("\uFEFFDo it.", "utf16le")],
    ["a cut character", Buffer.from("Do it 🙂").subarray(0, -1)],
    ["a lone surrogate", Buffer.from([0x44, 0xed, 0xa0, 0x80])],
  ])("not UTF-8: %s", (_what, bytes) => {
    expect(reasonOf(parseTask(bytes))).toBe("the file is not UTF-8 text");
  });

  test.each(["Do\0it.", "\0", "---\ntitle: a\0\n---\nDo it."])("binary: %j", (text) => {
    expect(reasonOf(parse(text))).toBe("the file is binary: it holds a NUL byte");
  });
});
