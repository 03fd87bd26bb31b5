import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readUsage } from "../../src/workers/claude/usage.ts";

let dir: string;
let transcript: string;
let status: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "usage-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  transcript = join(dir, "3f2a9c1e.jsonl");
  status = join(dir, "status.json");
});

/** A line of a transcript: one block of a message of the agent's, with the message's usage so far. */
const said = (id: string, input_tokens: number, output_tokens: number, more = {}) => ({
  type: "assistant",
  message: { id, role: "assistant", content: [], usage: { input_tokens, output_tokens, ...more } },
});

function write(file: string, ...lines: unknown[]): void {
  writeFileSync(file, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
}

function writeSubagent(name: string, ...lines: unknown[]): void {
  const folder = join(dir, "3f2a9c1e", "subagents");
  mkdirSync(folder, { recursive: true });
  write(join(folder, name), ...lines);
}

const tokens = async () => (await readUsage(transcript, status)).tokens;

describe("tokens", () => {
  test("of all messages are added up", async () => {
    write(transcript, said("m1", 10, 1), said("m2", 20, 2));
    expect(await tokens()).toEqual({ input: 30, output: 3 });
  });

  test("read from the cache or written into it count as input", async () => {
    write(transcript, said("m1", 1, 5, { cache_creation_input_tokens: 20, cache_read_input_tokens: 300 }));
    expect(await tokens()).toEqual({ input: 321, output: 5 });
  });

  test("of a message with several blocks count once, as its last line says", async () => {
    write(transcript, said("m1", 10, 1), said("m1", 10, 40), said("m2", 1, 1), said("m1", 10, 90));
    expect(await tokens()).toEqual({ input: 11, output: 91 });
  });

  test("of subagents count, too", async () => {
    write(transcript, said("m1", 10, 1));
    writeSubagent("agent-a.jsonl", said("m2", 100, 2));
    writeSubagent("agent-b.jsonl", said("m3", 1_000, 3));
    writeSubagent("notes.txt", said("m4", 9_999, 9));
    expect(await tokens()).toEqual({ input: 1_110, output: 6 });
  });

  test("of a message that stands in two transcripts count once", async () => {
    write(transcript, said("m1", 10, 1));
    writeSubagent("agent-a.jsonl", said("m1", 10, 1));
    expect(await tokens()).toEqual({ input: 10, output: 1 });
  });

  test("that a message does not tell count as none", async () => {
    write(transcript, { type: "assistant", message: { id: "m1", usage: { output_tokens: 7 } } });
    expect(await tokens()).toEqual({ input: 0, output: 7 });
  });

  test("that are null, as the API may say of the cache, do not make the others vanish", async () => {
    write(transcript, said("m1", 10, 1, { cache_creation_input_tokens: null, cache_read_input_tokens: null }));
    expect(await tokens()).toEqual({ input: 10, output: 1 });
  });

  test("are told by messages of the agent only, whatever else a transcript holds", async () => {
    write(
      transcript,
      {
        type: "user",
        message: { id: "u1", content: 'he said "assistant"', usage: { input_tokens: 5, output_tokens: 5 } },
      },
      { type: "system", subtype: "turn_duration", durationMs: 12 },
      "",
      "not json",
      '{"type":"assistant","message":{"id":"cut',
      { type: "assistant", message: { id: "m0" } },
      said("m1", 10, 1),
    );
    expect(await tokens()).toEqual({ input: 10, output: 1 });
  });

  test("are known also when the last line is not finished", async () => {
    writeFileSync(transcript, `${JSON.stringify(said("m1", 10, 1))}\n{"type":"assistant","mess`);
    expect(await tokens()).toEqual({ input: 10, output: 1 });
  });

  test("in a line of a megabyte are found", async () => {
    write(transcript, { ...said("m1", 10, 1), padding: "x".repeat(1_000_000) });
    expect(await tokens()).toEqual({ input: 10, output: 1 });
  });

  test.each<[string, () => void]>([
    ["the transcript is not there", () => {}],
    ["it is empty", () => write(transcript)],
    ["no message has any", () => write(transcript, { type: "user", message: { content: "assistant" } })],
  ])("are not known when %s", async (_what, prepare) => {
    prepare();
    expect(await tokens()).toBeUndefined();
  });

  test("are not known when no transcript was ever named", async () => {
    expect(await readUsage(null, status)).toEqual({ tokens: undefined, costUsd: undefined });
  });
});

describe("the cost", () => {
  test.each([
    ['{"cost":{"total_cost_usd":0.1234,"total_duration_ms":5},"model":{}}', 0.1234],
    ['{"cost":{"total_cost_usd":0}}', 0],
  ])("stands in the last status line: %s", async (text, costUsd) => {
    writeFileSync(status, text);
    expect(await readUsage(null, status)).toEqual({ tokens: undefined, costUsd });
  });

  test.each(["", "{", "{}", '{"cost":{}}', '{"cost":{"total_cost_usd":"1"}}', "null"])(
    "is not known by %j",
    async (text) => {
      writeFileSync(status, text);
      expect((await readUsage(null, status)).costUsd).toBeUndefined();
    },
  );
});
