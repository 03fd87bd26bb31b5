import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readLimitReset, resetInMessage } from "../../src/workers/claude/limit-reset.ts";

const NOW = Date.UTC(2026, 10, 21, 20);
const HOUR = 3_600_000;
/** In seconds, as Claude Code writes it. */
const IN_TRANSCRIPT = NOW / 1_000 + 7_231;
const IN_STATUS = NOW / 1_000 + 9_000;
const MESSAGE = "You've hit your 5-hour limit · resets 11:25pm (UTC)";
const IN_MESSAGE = Date.UTC(2026, 10, 21, 23, 25);

let dir: string;
let transcript: string;
let status: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "limit-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  transcript = join(dir, "3f2a9c1e.jsonl");
  status = join(dir, "status.json");
});

/** The entry with which Claude Code 2.1.329 closes a turn at a usage limit. */
const limitLine = (resetsAt: unknown) =>
  JSON.stringify({
    type: "assistant",
    isApiErrorMessage: true,
    apiError: "usage_limit_reached",
    quotaLimits: { status: "rejected", resetsAt, rateLimitType: "five_hour" },
  });
const USER_LINE = JSON.stringify({ type: "user", message: { content: "Do it." } });

function writeTranscript(...lines: string[]): void {
  writeFileSync(transcript, lines.map((line) => `${line}\n`).join(""));
}

function writeStatus(rate_limits: unknown): void {
  writeFileSync(status, JSON.stringify({ session_id: "a", cost: { total_cost_usd: 1 }, rate_limits }));
}

const used = (used_percentage: number, resets_at: number) => ({ used_percentage, resets_at });
const read = (message = MESSAGE, file: string | null = transcript) => readLimitReset(file, status, message, NOW);

describe("the reset stands in the transcript", () => {
  test("and goes before the status line and the message", async () => {
    writeTranscript(USER_LINE, limitLine(IN_TRANSCRIPT));
    writeStatus({ five_hour: used(100, IN_STATUS) });
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });

  test("with more lines behind it", async () => {
    writeTranscript(limitLine(IN_TRANSCRIPT), USER_LINE, '{"type":"system","subtype":"turn_duration"}');
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });

  test("more than once: the last one counts", async () => {
    writeTranscript(limitLine(IN_TRANSCRIPT - 60), USER_LINE, limitLine(IN_TRANSCRIPT));
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });

  test("at the end of a huge one, of which only the end is read", async () => {
    const huge = JSON.stringify({ type: "user", message: { content: "ü".repeat(400_000) } });
    writeTranscript(huge, huge, limitLine(IN_TRANSCRIPT));
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });

  test("not when it is far from the end: it was another limit's", async () => {
    writeTranscript(limitLine(IN_TRANSCRIPT), "x".repeat(256 * 1_024));
    expect(await read()).toBe(IN_MESSAGE);
  });

  test("before a last line that is half written", async () => {
    writeTranscript(USER_LINE, limitLine(IN_TRANSCRIPT));
    writeFileSync(transcript, USER_LINE.slice(0, 20), { flag: "a" });
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });

  test("without the newline that ends its line", async () => {
    writeFileSync(transcript, `${USER_LINE}\n${limitLine(IN_TRANSCRIPT)}`);
    expect(await read()).toBe(IN_TRANSCRIPT * 1_000);
  });
});

describe("the reset does not stand in the transcript", () => {
  test.each<[string, string[]]>([
    ["which is empty", []],
    ["which tells of no limit", [USER_LINE]],
    ["whose line of the limit is half written", [USER_LINE, limitLine(IN_TRANSCRIPT).slice(0, -30)]],
    ["where it is no number", [limitLine("soon")]],
    ["where it is zero", [limitLine(0)]],
    ["where it is null", [limitLine(null)]],
    ["where an agent only wrote of it", [JSON.stringify({ message: { content: limitLine(IN_TRANSCRIPT) } })]],
  ])("%s: the status line is asked", async (_what, lines) => {
    writeTranscript(...lines);
    writeStatus({ five_hour: used(100, IN_STATUS) });
    expect(await read()).toBe(IN_STATUS * 1_000);
  });

  test("because there is none, or none is known: the status line is asked", async () => {
    writeStatus({ five_hour: used(100, IN_STATUS) });
    expect(await read()).toBe(IN_STATUS * 1_000);
    expect(await read(MESSAGE, null)).toBe(IN_STATUS * 1_000);
  });
});

describe("in the status line", () => {
  test.each<[string, unknown, number]>([
    ["a window that is used up counts", { five_hour: used(99, IN_STATUS), seven_day: used(40, 1) }, IN_STATUS],
    [
      "of two that are used up the later one counts",
      { five_hour: used(100, IN_STATUS), seven_day: used(100, IN_STATUS + 500_000) },
      IN_STATUS + 500_000,
    ],
    ["a window may be null", { five_hour: null, seven_day: used(100, IN_STATUS) }, IN_STATUS],
    ["a window of a later version counts", { one_month: used(120, IN_STATUS) }, IN_STATUS],
  ])("%s", async (_what, limits, resets) => {
    writeStatus(limits);
    expect(await read()).toBe(resets * 1_000);
  });

  test.each<[string, unknown]>([
    ["no window is used up", { five_hour: used(98.9, IN_STATUS), seven_day: used(0, IN_STATUS) }],
    ["there is no window", {}],
    ["every window is null", { five_hour: null }],
    ["nothing is said of limits", undefined],
    ["the limits are no object", "all used up"],
    ["a reset is no number", { five_hour: { used_percentage: 100, resets_at: "soon" } }],
  ])("%s: the message is asked", async (_what, limits) => {
    writeStatus(limits);
    expect(await read()).toBe(IN_MESSAGE);
  });

  test.each(["", "{", "null", "\0"])("is %j: the message is asked", async (text) => {
    writeFileSync(status, text);
    expect(await read()).toBe(IN_MESSAGE);
  });
});

test("where nothing says when the limit resets, nothing is made up", async () => {
  expect(await read("You've hit your limit")).toBeNull();
});

describe("a message that names a time", () => {
  test.each<[string, string, number]>([
    ["today", "resets 11:25pm (UTC)", Date.UTC(2026, 10, 21, 23, 25)],
    ["today, in a minute", "resets 8:01pm (UTC)", Date.UTC(2026, 10, 21, 20, 1)],
    ["tomorrow", "resets 3:05am (UTC)", Date.UTC(2026, 10, 22, 3, 5)],
    ["at noon tomorrow", "resets 12pm (UTC)", Date.UTC(2026, 10, 22, 12)],
    ["at midnight", "resets 12am (UTC)", Date.UTC(2026, 10, 22)],
    ["after midnight", "resets 12:30am (UTC)", Date.UTC(2026, 10, 22, 0, 30)],
    ["a full hour", "resets 11pm (UTC)", Date.UTC(2026, 10, 21, 23)],
  ])("%s: %s", (_what, words, at) => {
    expect(resetInMessage(`You've hit your 5-hour limit · ${words}`, NOW)).toBe(at);
  });

  test("in the very minute that it names: the reset is due, not a day away, as seconds are left out", () => {
    expect(resetInMessage("You've hit your session limit · resets 8pm (UTC)", NOW + 20_000)).toBe(NOW);
  });

  test("tomorrow is in the next year on New Year's Eve", () => {
    const eve = Date.UTC(2026, 11, 31, 23);
    expect(resetInMessage("You've hit your session limit · resets 1:15am (UTC)", eve)).toBe(
      Date.UTC(2027, 0, 1, 1, 15),
    );
  });
});

describe("a message that names a day", () => {
  test.each<[string, string, number]>([
    ["of this month", "resets Nov 24, 9:46am (UTC)", Date.UTC(2026, 10, 24, 9, 46)],
    ["of the next", "resets Dec 1, 12pm (UTC)", Date.UTC(2026, 11, 1, 12)],
    ["of the next year", "resets Jan 2, 4pm (UTC)", Date.UTC(2027, 0, 2, 16)],
    ["of today, later", "resets Nov 21, 11:25pm (UTC)", Date.UTC(2026, 10, 21, 23, 25)],
    ["that has just begun: the reset is over, not a year away", "resets Nov 21, 7:59pm (UTC)", NOW - 60_000],
  ])("%s: %s", (_what, words, at) => {
    expect(resetInMessage(`You've hit your weekly limit · ${words}`, NOW)).toBe(at);
  });

  test("in January, said in December, is of the next year", () => {
    const now = Date.UTC(2026, 11, 31, 23, 59);
    expect(resetInMessage("weekly limit · resets Jan 3, 9:46am (UTC)", now)).toBe(Date.UTC(2027, 0, 3, 9, 46));
  });

  test("that has just been, over New Year: the reset is over, not a year away", () => {
    const now = Date.UTC(2027, 0, 1, 0, 1);
    expect(resetInMessage("weekly limit · resets Dec 31, 11:59pm (UTC)", now)).toBe(Date.UTC(2026, 11, 31, 23, 59));
  });

  test.each([
    ["jan", 1],
    ["feb", 2],
    ["mar", 3],
    ["apr", 4],
    ["may", 5],
    ["jun", 6],
    ["jul", 7],
    ["aug", 8],
    ["sep", 9],
    ["oct", 10],
    ["nov", 11],
    ["dec", 12],
  ])("in %s, the month number %d", (name, month) => {
    const words = `resets ${name[0]?.toUpperCase()}${name.slice(1)} 28, 6am (UTC)`;
    const now = Date.UTC(2026, month - 1, 27);
    expect(resetInMessage(words, now)).toBe(now + 30 * HOUR);
  });
});

describe("a message is not guessed at", () => {
  test.each([
    "resets 11:25pm (Europe/Berlin)",
    "resets 11:25pm (America/New_York)",
    "resets Nov 24, 9:46am (CET)",
    "resets 11:25pm",
    "resets 23:25 (UTC)",
    "resets Nov 24 (UTC)",
    "resets tomorrow (UTC)",
    "resets 24 Nov, 9:46am (UTC)",
    "resets in 3h (UTC)",
    "API Error: Request rejected (429)",
    "",
  ])("%j", (message) => {
    expect(resetInMessage(message, NOW)).toBeNull();
  });

  test.each(["resets Foo 24, 9:46am (UTC)", "resets 13:25pm (UTC)", "resets 11:75pm (UTC)", "resets 0:25pm (UTC)"])(
    "of a time that there is not: %j",
    (message) => {
      expect(resetInMessage(message, NOW)).toBeNull();
    },
  );
});
