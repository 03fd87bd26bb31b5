import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readTranscript } from "../../src/workers/claude/transcript.ts";

const AT = Date.UTC(2026, 10, 21, 9, 30);
const LARGE = 1_000_000;

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "transcript-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  path = join(dir, "session.jsonl");
});

const iso = (atMs: number) => new Date(atMs).toISOString();
const entry = (type: string, content: unknown, more: object = {}) =>
  JSON.stringify({
    ...{ parentUuid: null, isSidechain: false, userType: "external", cwd: "/srv/site", sessionId: "s", version: "2" },
    ...{ type, message: { id: "msg_1", role: type, model: "opus", content }, uuid: "u", timestamp: iso(AT) },
    ...more,
  });
const said = (text: string, atMs = AT) => entry("assistant", [{ type: "text", text }], { timestamp: iso(atMs) });
const used = (name: string, input: unknown) => entry("assistant", [{ type: "tool_use", id: "toolu_1", name, input }]);

/** What is read of a transcript with these lines. */
async function read(lines: readonly string[], maxBytes = LARGE) {
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return await readTranscript(path, maxBytes);
}

const texts = async (lines: readonly string[], maxBytes?: number) =>
  (await read(lines, maxBytes)).map(({ text }) => text);

test("a transcript tells what the agent said and did, in order, and nothing else", async () => {
  const usage = { input_tokens: 3, output_tokens: 5 };
  const lines = [
    JSON.stringify({ type: "summary", summary: "An assistant's summary", leafUuid: "u" }),
    JSON.stringify({ type: "file-history-snapshot", messageId: "m", snapshot: {} }),
    entry("user", "[run kabcdefghi-1]\nFix it."),
    entry("assistant", [{ type: "thinking", thinking: "The assistant thinks.", signature: "x" }]),
    entry("assistant", [{ type: "text", text: "I look first." }], { timestamp: iso(AT + 1), requestId: "r" }),
    entry("assistant", [{ type: "tool_use", id: "t", name: "Bash", input: { command: "ls", description: "List" } }], {
      timestamp: iso(AT + 2),
    }),
    entry("user", [{ type: "tool_result", tool_use_id: "t", content: '{"type":"assistant"}' }]),
    JSON.stringify({ type: "system", subtype: "turn_duration", content: '"assistant"', timestamp: iso(AT) }),
    entry("assistant", [{ type: "text", text: "Done." }], {
      timestamp: "2026-11-21T10:30:00.003+01:00",
      message: { id: "m", role: "assistant", content: [{ type: "text", text: "Done." }], usage, stop_reason: null },
    }),
  ];
  expect(await read(lines)).toEqual([
    { atMs: AT + 1, type: "said", text: "I look first." },
    { atMs: AT + 2, type: "tool", text: "Bash: List" },
    { atMs: AT + 3, type: "said", text: "Done." },
  ]);
});

test("several blocks of one line are so many steps", async () => {
  const blocks = [
    { type: "text", text: "a" },
    { type: "redacted_thinking", data: "x" },
    { type: "tool_use", id: "t", name: "Read", input: { file_path: "/srv/a.ts" } },
    { type: "text", text: "b" },
  ];
  expect(await texts([entry("assistant", blocks)])).toEqual(["a", "Read: /srv/a.ts", "b"]);
});

test("an error of the API is told as what was said", async () => {
  const content = [{ type: "text", text: "You've hit your limit" }];
  const line = entry("assistant", content, { isApiErrorMessage: true, error: "rate_limit" });
  expect(await texts([line])).toEqual(["You've hit your limit"]);
});

describe("a tool is told with what it was asked", () => {
  test.each<[string, string, unknown]>([
    ["Bash: List files", "Bash", { command: "ls -la", description: "List files" }],
    ["Bash: ls -la", "Bash", { command: "ls -la" }],
    ["Edit: /srv/a.ts", "Edit", { file_path: "/srv/a.ts", old_string: "a", new_string: "b" }],
    ["Grep: TODO", "Grep", { path: "src", pattern: "TODO", glob: "*.ts" }],
    ["WebSearch: tmux", "WebSearch", { query: "tmux" }],
    ["WebFetch: https://example.org", "WebFetch", { url: "https://example.org", prompt: "What?" }],
    ["Task: Look around", "Task", { description: "Look around", prompt: "Please …", subagent_type: "x" }],
    ["LS: /srv", "LS", { path: "/srv" }],
    ["mcp__a__b", "mcp__a__b", { other: "x" }],
    ["TodoWrite", "TodoWrite", { todos: [{ content: "a" }] }],
    ["Bash: ls", "Bash", { description: 5, command: "ls" }],
    ["Bash", "Bash", {}],
    ["Bash", "Bash", null],
    ["Bash", "Bash", "ls"],
    ["Bash", "Bash", ["ls"]],
    ["Bash", "Bash", undefined],
    ["Odd", "Odd", JSON.parse('{"__proto__":{"command":"x"},"constructor":"y"}')],
  ])("%s", async (expected, name, input) => {
    expect(await read([used(name, input)])).toEqual([{ atMs: AT, type: "tool", text: expected }]);
  });
});

test("what cannot be read is left out, and hides nothing", async () => {
  const garbage = [
    "",
    "\0\0\0",
    'not JSON with "assistant" in it',
    '"assistant"',
    '["assistant"]',
    "null",
    '{"type":"assistant"}',
    entry("assistant", "text and no blocks"),
    entry("assistant", null),
    entry("assistant", [
      null,
      5,
      "x",
      [],
      { type: "text" },
      { type: "text", text: 5 },
      { type: "tool_use", input: {} },
    ]),
    entry("assistant", [{ type: "text", text: "no time" }], { timestamp: undefined }),
    entry("assistant", [{ type: "text", text: "a bad time" }], { timestamp: "yesterday" }),
    entry("assistant", [{ type: "text", text: "no day" }], { timestamp: "2026-02-30T00:00:00Z" }),
    entry("assistant", [{ type: "text", text: "a number for a time" }], { timestamp: AT }),
    `${"[".repeat(100_000)}"assistant"`,
  ];
  for (const line of garbage) expect(await texts([said("before"), line, said("after")])).toEqual(["before", "after"]);
});

test("bytes that are no text hide nothing", async () => {
  const bytes = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x0a]);
  writeFileSync(path, Buffer.concat([Buffer.from(`${said("before")}\n`), bytes, Buffer.from(`${said("after")}\n`)]));
  expect((await readTranscript(path, LARGE)).map(({ text }) => text)).toEqual(["before", "after"]);
});

test("a line that is still being written is left out until it is whole", async () => {
  const line = said("second");
  const half = Math.floor(line.length / 2);
  writeFileSync(path, `${said("first")}\n${line.slice(0, half)}`);
  expect((await readTranscript(path, LARGE)).map(({ text }) => text)).toEqual(["first"]);
  appendFileSync(path, line.slice(half));
  expect((await readTranscript(path, LARGE)).map(({ text }) => text)).toEqual(["first", "second"]);
});

describe("of a transcript that is too large", () => {
  const lines = Array.from({ length: 100 }, (_, index) => said(`step ${index} ${"ü".repeat(50)}`));
  const size = Buffer.byteLength(`${lines.at(-1)}\n`);

  test("the last part is read, without the line that is cut", async () => {
    const found = await texts(lines, 10 * size + 5);
    expect(found).toHaveLength(10);
    expect(found.map((text) => text.split(" ")[1])).toEqual(lines.slice(90).map((_, index) => String(90 + index)));
  });

  test("wherever it is cut, also within a letter", async () => {
    for (let more = 0; more < 150; more += 1) {
      const found = await texts(lines, size + more);
      expect(found.length).toBeGreaterThanOrEqual(1);
      expect(found.every((text) => text.endsWith("ü"))).toBe(true);
      expect(found.at(-1)).toMatch(/^step 99 /);
    }
  });

  test("nothing is read of one line that is larger than that", async () => {
    expect(await texts([said("x".repeat(10_000))], 1_000)).toEqual([]);
  });
});

test.each(["what is not there", "a folder"])("%s has no steps", async (what) => {
  if (what === "a folder") mkdirSync(path);
  expect(await readTranscript(path, LARGE)).toEqual([]);
});

test("an empty transcript has no steps", async () => {
  expect(await read([])).toEqual([]);
});
