import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { PRIORITIES } from "../../src/core/task.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";
import { withPriority, writeTask } from "../../src/ledger/write-task.ts";

const BOM = "\uFEFF";

/** Tasks as people write them; each can be run. */
const TEXTS: Readonly<Record<string, string>> = {
  "no frontmatter": "Do it.\n",
  "no frontmatter and no line break": "Do it.",
  "no frontmatter, a BOM": `${BOM}Do it.\n`,
  "no frontmatter, CRLF": "Do it.\r\nAll of it.\r\n",
  "no frontmatter, a blank line first": "\nDo it.\n",
  "no frontmatter, a line of dashes below": "Do it.\n---\nAnd this.\n---\n",
  "no frontmatter, a longer line of dashes first": "----\nDo it.\n---\nx\n",
  "other keys": "---\ntitle: Fix it\ntags: [a, b]\ntimeout: 30m\n---\nDo it.\n",
  "a priority": "---\ntitle: Fix it\npriority: low\ntags:\n  - a\n---\nDo it.\n",
  "a priority that nobody knows": "---\npriority: soon\n---\nDo it.\n",
  "a priority in quotes": '---\n"priority": "low"\n---\nDo it.\n',
  "a priority of no value": "---\npriority:\ntitle: a\n---\nDo it.\n",
  "comments alone": "---\n# nothing here\n---\nDo it.\n",
  "frontmatter that is empty": "---\n---\nDo it.\n",
  "frontmatter that is empty, CRLF": "---\r\n---\r\nDo it.\r\n",
  "frontmatter that is empty, a line of dashes below": "---\n---\nDo it.\n---\nAnd this.\n",
  "frontmatter of a blank line": "---\n\n---\nDo it.\n",
  "a line of dashes below": "---\ntitle: a\n---\nDo it.\n---\npriority: low\n---\nAnd this.\n",
  CRLF: "---\r\ntitle: Fix it\r\npriority: low\r\n---\r\nDo it.\r\nAll of it.\r\n",
  "a BOM": `${BOM}---\ntitle: Fix it\n---\nDo it.\n`,
  "a BOM and CRLF": `${BOM}---\r\ntitle: Fix it\r\n---\r\nDo it.\r\n`,
  "blanks behind the dashes": "--- \ntitle: a\n---\t\nDo it.\n",
  "the word yaml behind the dashes": "---yaml\ntitle: a\n---\nDo it.\n",
  "the word yaml behind the dashes and a blank": "--- yaml\ntitle: a\n---\nDo it.\n",
  "text right behind the closing dashes": "---\ntitle: a\n---Do it.\n",
  "more dashes than three to close": "---\ntitle: a\n----\nDo it.\n",
  braces: "---\n{title: a, tags: [b]}\n---\nDo it.\n",
  "keys that nobody knows": "---\nowner: {name: x, since: 2026-01-01}\ntitle: a\n---\nDo it.\n",
  "an anchor": "---\ntags: &t [a, b]\nother: *t\n---\nDo it.\n",
  "text of several lines": "---\ntitle: |\n  one\n  two\ntags: [a]\n---\nDo it.\n",
  "text of several lines last": "---\npriority: low\ntitle: >-\n  one\n  two\n---\nDo it.\n",
  "text of several lines that are none": "---\ntitle: | # \n---\nDo it.\n",
  "a very long title in quotes": `---\ntitle: "\\e${"🙂".repeat(60)} ${"x🙂".repeat(60)}"\n---\nDo it.\n`,
  "a very long title": `---\ntitle: ${"long word ".repeat(60)}end\n---\nDo it.\n`,
  "a number for a title": "---\ntitle: 0123\ntags: [1, 1.50, 1e3]\n---\nDo it.\n",
  unicode: "---\ntitle: Über 東京 🙂\n---\nDo 東京.\n",
  "blank lines and blanks around what it says": "---\ntitle: a\n---\n\n  Do it.  \n\n",
  "blank lines in the frontmatter": "---\n\ntitle: a\n\ntags: [b]\n\n---\nDo it.\n",
};

function parse(text: string) {
  const parsed = parseTask(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed;
}

describe.each(PRIORITIES)("with the priority %s", (priority) => {
  test.each(Object.entries(TEXTS))("a task that has %s is the same task otherwise", (_what, text) => {
    const before = parse(text);
    const after = parse(withPriority(text, priority));
    expect(after.header).toEqual({ ...before.header, priority });
    expect(after.prompt).toBe(before.prompt);
    expect(after.warnings).toEqual(before.warnings.filter((warning) => !warning.startsWith("priority: ")));
  });
});

test.each(Object.entries(TEXTS))("a task that has %s can be given one priority after the other", (_what, text) => {
  const last = withPriority(withPriority(withPriority(text, "low"), "critical"), "high");
  expect(parse(last)).toEqual(parse(withPriority(text, "high")));
});

describe("the frontmatter keeps", () => {
  test("its comments, its other keys and their order", () => {
    const text = "---\n# who asked\ntitle: Fix it # soon\n\npriority: low # for now\ntags: [a]\n---\nDo it.\n";
    expect(withPriority(text, "high")).toBe(
      "---\n# who asked\ntitle: Fix it # soon\n\npriority: high # for now\ntags: [ a ]\n---\nDo it.\n",
    );
  });

  test("a comment that stands alone", () => {
    expect(withPriority("---\n# nothing here\n---\nDo it.\n", "high")).toContain("# nothing here");
  });

  test("what follows it to the byte", () => {
    const body = "\r\n\r\n  Do it. \t\r\n---\n\u2028\u00a0\r---";
    expect(withPriority(`---\ntitle: a\n---${body}`, "high").endsWith(`\n---${body}`)).toBe(true);
  });
});

test("a text without frontmatter gets one, and stands below it as it was", () => {
  expect(withPriority("Do it.\n", "critical")).toBe("---\npriority: critical\n---\nDo it.\n");
});

describe("a task that is written", () => {
  let project: string;
  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), "write-task-"));
    onTestFinished(() => rmSync(project, { recursive: true }));
  });
  const inbox = () => join(project, ".agent-queue", "inbox");
  const write = async (name: string, text: string) => await writeTask({ project, name }, text);

  test("stands in its inbox, which is made where there is none, and nothing else does", async () => {
    expect(await write("fix.md", "Über 東京\r\n")).toBe(join(inbox(), "fix.md"));
    expect(readFileSync(join(inbox(), "fix.md"), "utf8")).toBe("Über 東京\r\n");
    expect(readdirSync(inbox())).toEqual(["fix.md"]);
  });

  test("never takes another's name", async () => {
    const paths = [];
    for (const text of ["one", "two", "three"]) paths.push(await write("fix.md", text));
    expect(paths).toEqual(["fix.md", "fix-2.md", "fix-3.md"].map((name) => join(inbox(), name)));
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual(["one", "two", "three"]);
  });

  test("has a name of its own, however many are written at the same moment", async () => {
    const texts = Array.from({ length: 50 }, (_, index) => `task ${index}`);
    const paths = await Promise.all(texts.map(async (text) => await write("fix.md", text)));
    expect(new Set(paths).size).toBe(50);
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual(texts);
    expect(readdirSync(inbox())).toHaveLength(50);
  });

  test("is one file, to which no other name leads", async () => {
    expect(statSync(await write("fix.md", "text")).nlink).toBe(1);
  });

  test("leaves nothing behind where it cannot be written", async () => {
    mkdirSync(inbox(), { recursive: true });
    await expect(write(`${"x".repeat(300)}.md`, "text")).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    expect(readdirSync(inbox())).toEqual([]);
  });

  test("goes nowhere else when the inbox is a file", async () => {
    mkdirSync(join(project, ".agent-queue"));
    writeFileSync(inbox(), "mine");
    await expect(write("fix.md", "text")).rejects.toMatchObject({ code: "EEXIST" });
    expect(readFileSync(inbox(), "utf8")).toBe("mine");
  });
});
