import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { parseHookEvent } from "../../src/workers/claude/hook-event.ts";
import { readLimitReset, resetInMessage } from "../../src/workers/claude/limit-reset.ts";
import { readTranscript } from "../../src/workers/claude/transcript.ts";
import { readUsage } from "../../src/workers/claude/usage.ts";
import { forAll, forAllInProportion } from "../helpers/hostile.ts";
import { json, jsonLike, piece, text } from "../helpers/hostile-inputs.ts";

/** Inputs that share a file: to write it is what takes the time. */
const LINES = 20;
const MAX_BYTES = 1024 * 1024;
const NOW_MS = Date.parse("2026-11-21T10:00:00Z");
const MIB = 1024 * 1024;

let dir: string;
let transcript: string;
let statusFile: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hostile-events-"));
  transcript = join(dir, "transcript.jsonl");
  statusFile = join(dir, "status.json");
});
afterAll(() => rmSync(dir, { recursive: true }));

const count = fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5, 1e308, null));
const events = jsonLike({
  hook_event_name: fc.constantFrom(
    "SessionStart",
    "UserPromptSubmit",
    "Stop",
    "StopFailure",
    "SessionEnd",
    "__proto__",
  ),
  session_id: text,
  transcript_path: fc.oneof(text, fc.constantFrom("/dev/zero", "/etc/passwd", "\0")),
  ...{ source: text, prompt: text, last_assistant_message: text, error: text, reason: text },
  background_tasks: fc.array(json, { maxLength: 2 }),
  session_crons: fc.array(json, { maxLength: 2 }),
});
const blocks = fc.oneof(
  fc.record({ type: fc.constant("text"), text }),
  fc.record({ type: fc.constant("tool_use"), name: text, input: json }),
  json,
);
const usage = fc.record(
  { input_tokens: count, output_tokens: count, cache_read_input_tokens: count },
  { requiredKeys: [] },
);
const lines = jsonLike({
  type: fc.constant("assistant"),
  timestamp: fc.constantFrom("2026-11-21T10:00:00Z", "2026-11-21T10:00:00+99:00", "-1", "9999-99-99T00:00:00Z"),
  message: fc.record({ id: text, content: fc.array(blocks, { maxLength: 3 }), usage }),
  quotaLimits: fc.record({ resetsAt: count }),
}).map((it) => it.replaceAll("\n", " "));
const statuses = jsonLike({
  cost: fc.record({ total_cost_usd: count }),
  rate_limits: fc.dictionary(text, fc.record({ used_percentage: count, resets_at: count }), { maxKeys: 3 }),
});

const eventSchema = z.looseObject({
  hook_event_name: z.enum(["SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd"]),
  session_id: z.string(),
  last_assistant_message: z.string().optional(),
});
const stepSchema = z.strictObject({ atMs: z.int(), type: z.enum(["said", "tool"]), text: z.string() });
const tokens = z.int().min(0);
const usageSchema = z.strictObject({
  tokens: z.strictObject({ input: tokens, output: tokens }).optional(),
  costUsd: z.number().min(0).max(1_000_000).optional(),
});
/** A moment that a date can name. */
const moment = z.number().min(-8.64e15).max(8.64e15).nullable();

forAll("a hook event is one that we know with all that belongs to it, or none", events, (given) => {
  const event = parseHookEvent(given);
  if (event === null) return;
  expect(eventSchema.safeParse(event).error).toBeUndefined();
  expect(Object.getPrototypeOf(event)).toBe(Object.prototype);
});

describe("a transcript", () => {
  const files = fc.array(lines, { minLength: LINES, maxLength: LINES });

  forAll(
    "tells steps, figures and a limit's end, whatever stands in it",
    fc.tuple(files, fc.oneof(statuses, fc.constant(""))),
    async ([given, status]) => {
      writeFileSync(transcript, given.join("\n"));
      writeFileSync(statusFile, status);
      for (const step of await readTranscript(transcript, MAX_BYTES))
        expect(stepSchema.safeParse(step).error).toBeUndefined();
      expect(usageSchema.safeParse(await readUsage(transcript, statusFile)).error).toBeUndefined();
      expect(
        moment.safeParse(await readLimitReset(transcript, statusFile, given.join(), NOW_MS)).error,
      ).toBeUndefined();
    },
    { batch: LINES },
  );

  forAll(
    "is read from any byte on",
    fc.tuple(files, fc.nat({ max: 4_000 })),
    async ([given, maxBytes]) => {
      writeFileSync(transcript, given.join("\n"));
      const all = await readTranscript(transcript, MAX_BYTES);
      const some = await readTranscript(transcript, maxBytes);
      expect(all.slice(all.length - some.length)).toEqual(some);
    },
    { batch: LINES },
  );
});

forAll("a message names the moment of a limit's end, or none", text, (given) => {
  for (const message of [given, `resets ${given}`, `${given} resets Feb 31, 12:59pm (UTC)${given}`])
    expect(moment.safeParse(resetInMessage(message, NOW_MS)).error).toBeUndefined();
});

describe("what is no file of lines is not waited for and not held", () => {
  const NOTHING = { steps: [], usage: { tokens: undefined, costUsd: undefined }, reset: null };
  const read = async (path: string) => ({
    steps: await readTranscript(path, MAX_BYTES),
    usage: await readUsage(path, path),
    reset: await readLimitReset(path, path, "", NOW_MS),
  });

  test.each<[string, (path: string) => void]>([
    ["a pipe", (path) => execFileSync("mkfifo", [path])],
    ["a link to a device without an end", (path) => symlinkSync("/dev/zero", path)],
    ["a folder", (path) => mkdirSync(path)],
    ["a link to itself", (path) => symlinkSync(path, path)],
    ["nothing", () => {}],
  ])("%s", async (what, make) => {
    const path = join(dir, what.replaceAll(" ", "-"));
    make(path);
    expect(await read(path)).toEqual(NOTHING);
  });

  test("a line as long as a disk", async () => {
    const path = join(dir, "endless");
    const good = JSON.stringify({
      type: "assistant",
      timestamp: "2026-11-21T10:00:00Z",
      message: { id: "a", content: [{ type: "text", text: "said" }], usage: { input_tokens: 1, output_tokens: 2 } },
    });
    writeFileSync(path, "");
    truncateSync(path, 64 * MIB);
    writeFileSync(path, `\n${good}\n`, { flag: "a" });
    const before = process.memoryUsage.rss();
    expect((await read(path)).usage.tokens).toEqual({ input: 1, output: 2 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * MIB);
  });
});

forAllInProportion("an event is read in a time in proportion to it", piece, (given) =>
  parseHookEvent(
    JSON.stringify({ hook_event_name: "UserPromptSubmit", session_id: given, prompt: given, [given]: [given] }),
  ),
);
forAllInProportion("and so is a message", piece, (given) => resetInMessage(given, NOW_MS));
