import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Hold } from "../../src/core/verdict.ts";
import { PoolHold } from "../../src/workers/pool-hold.ts";

const START = Date.UTC(2026, 10, 21, 20);
const UNTIL = START + 3_600_000;
const LIMIT: Hold = { kind: "limit", sinceMs: START, untilMs: UNTIL, message: "resets 9pm (UTC)" };
const LOGIN: Hold = { kind: "login", sinceMs: START + 5, untilMs: UNTIL + 5, message: "billing_error: pay" };

const JOB = "kabcdefghi";
const OTHER = "kother2345";

let stateDir: string;
let nowMs: number;
const onChange = vi.fn<(hold: Hold | null) => void>();

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "hold-"));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  nowMs = START;
  onChange.mockReset();
});

const newHold = () => new PoolHold({ stateDir, now: () => nowMs, onChange });
const file = () => join(stateDir, "hold.json");
const told = () => onChange.mock.calls.map(([hold]) => hold);

async function held(by = LIMIT): Promise<PoolHold> {
  const hold = newHold();
  await hold.raise(by);
  return hold;
}

/** A hold whose time is over and whose probe was given out. */
async function probing(): Promise<PoolHold> {
  const hold = await held();
  nowMs = UNTIL;
  hold.launched(JOB);
  return hold;
}

describe("without a hold", () => {
  test("every free session may be given a task, whatever is launched, ends or is not run", async () => {
    const hold = newHold();
    expect(hold.current).toBeNull();
    hold.launched(JOB);
    hold.launched(OTHER);
    expect(hold.allow(7)).toBe(7);
    hold.unused(JOB);
    await hold.passed(JOB);
    expect(hold.allow(7)).toBe(7);
    expect(onChange).not.toHaveBeenCalled();
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test("no session is no session", () => {
    expect(newHold().allow(0)).toBe(0);
  });
});

describe("while the pool is held", () => {
  test.each([
    [START, 0],
    [UNTIL - 1, 0],
    [UNTIL, 1],
    [UNTIL + 86_400_000, 1],
  ])("at %d so many of seven free sessions may be given a task: %d", async (atMs, allowed) => {
    const hold = await held();
    nowMs = atMs;
    expect(hold.allow(7)).toBe(allowed);
  });

  test("no probe goes where no session is free", async () => {
    const hold = await held();
    nowMs = UNTIL;
    expect(hold.allow(0)).toBe(0);
  });

  test("it says why and until when, and tells so once", async () => {
    const hold = await held();
    expect(hold.current).toEqual(LIMIT);
    expect(told()).toEqual([LIMIT]);
  });

  test("the file is nobody else's business", async () => {
    await held();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(stateDir)).toEqual(["hold.json"]);
  });
});

describe("the probe", () => {
  test("goes alone: nothing follows before it is through", async () => {
    const hold = await probing();
    expect(hold.allow(7)).toBe(0);
    nowMs += 86_400_000;
    expect(hold.allow(7)).toBe(0);
  });

  test("that got through ends the hold, for good", async () => {
    const hold = await probing();
    await hold.passed(JOB);
    expect(hold.current).toBeNull();
    expect(hold.allow(7)).toBe(7);
    expect(told()).toEqual([LIMIT, null]);
    expect(existsSync(file())).toBe(false);
  });

  test("that got through is told once", async () => {
    const hold = await probing();
    await hold.passed(JOB);
    await hold.passed(JOB);
    expect(told()).toEqual([LIMIT, null]);
  });

  test("that was not run after all leaves its place to another", async () => {
    const hold = await probing();
    hold.unused(JOB);
    expect(hold.allow(7)).toBe(1);
    expect(hold.current).toEqual(LIMIT);
  });

  test("that was not run after all has not got through", async () => {
    const hold = await probing();
    hold.unused(JOB);
    await hold.passed(JOB);
    expect(hold.current).toEqual(LIMIT);
  });

  test("is one job: the end of a run from before the limit neither ends the hold nor takes the probe's place", async () => {
    const hold = await probing();
    await hold.passed(OTHER);
    expect(hold.current).toEqual(LIMIT);
    hold.unused(OTHER);
    expect(hold.allow(7)).toBe(0);
    await hold.passed(JOB);
    expect(hold.current).toBeNull();
  });

  test("keeps its place when a run from before the limit meets the same one", async () => {
    const hold = await probing();
    await hold.raise(LIMIT);
    expect(hold.allow(7)).toBe(0);
    await hold.passed(JOB);
    expect(hold.current).toBeNull();
  });

  test("proves nothing any more once another run has made the hold longer", async () => {
    const hold = await probing();
    await hold.raise(LOGIN);
    await hold.passed(JOB);
    expect(hold.current).toEqual({ ...LOGIN, sinceMs: START });
    nowMs = LOGIN.untilMs;
    expect(hold.allow(7)).toBe(1);
  });

  test("that meets the limit again makes the hold longer, and another one goes after it", async () => {
    const hold = await probing();
    const again = { ...LIMIT, sinceMs: UNTIL + 9, untilMs: UNTIL + 900_000, message: "still" };
    await hold.raise(again);
    expect(hold.allow(7)).toBe(0);
    nowMs = UNTIL + 900_000;
    expect(hold.allow(7)).toBe(1);
    expect(told()).toEqual([LIMIT, { ...again, sinceMs: START }]);
  });
});

test("met by several runs at the same moment it is told once", async () => {
  const hold = newHold();
  await Promise.all([hold.raise(LIMIT), hold.raise(LIMIT), hold.raise({ ...LIMIT, message: "the same" })]);
  expect(told()).toEqual([LIMIT]);
});

test("a run from before the hold that ends is no probe: the hold stays", async () => {
  const hold = await held();
  await hold.passed(JOB);
  nowMs = UNTIL;
  await hold.passed(JOB);
  expect(hold.current).toEqual(LIMIT);
  expect(existsSync(file())).toBe(true);
});

test("a task that was already on its way when the hold began is no probe: the hold stays until its time", async () => {
  const hold = await held();
  hold.launched(JOB);
  await hold.passed(JOB);
  expect(hold.current).toEqual(LIMIT);
  expect(hold.allow(7)).toBe(0);
});

describe("of two holds the later end counts", () => {
  test("and the hold began with the first", async () => {
    const hold = await held();
    await hold.raise(LOGIN);
    expect(hold.current).toEqual({ ...LOGIN, sinceMs: START });
    expect(told()).toEqual([LIMIT, { ...LOGIN, sinceMs: START }]);
  });

  test.each([UNTIL, UNTIL - 1, START])(
    "an earlier end, or the same, changes nothing and is not told: %d",
    async (untilMs) => {
      const hold = await held();
      await hold.raise({ ...LOGIN, untilMs });
      expect(hold.current).toEqual(LIMIT);
      expect(told()).toEqual([LIMIT]);
    },
  );
});

describe("the next daemon", () => {
  test("holds on, and says so", async () => {
    await held();
    onChange.mockReset();
    const next = newHold();
    await next.load();
    expect(next.current).toEqual(LIMIT);
    expect(told()).toEqual([LIMIT]);
    expect(next.allow(7)).toBe(0);
    nowMs = UNTIL;
    expect(next.allow(7)).toBe(1);
  });

  test("holds on with the longer of two holds", async () => {
    await (await held()).raise(LOGIN);
    const next = newHold();
    await next.load();
    expect(next.current).toEqual({ ...LOGIN, sinceMs: START });
  });

  test("after a probe that was given out sends another", async () => {
    await probing();
    const next = newHold();
    await next.load();
    expect(next.allow(7)).toBe(1);
  });

  test("knows nothing of a hold that is over", async () => {
    await (await probing()).passed(JOB);
    const next = newHold();
    await next.load();
    expect(next.current).toBeNull();
  });

  test("can end the hold and begin another", async () => {
    await held();
    const next = newHold();
    await next.load();
    nowMs = UNTIL;
    next.launched(JOB);
    await next.passed(JOB);
    expect(existsSync(file())).toBe(false);
    await next.raise(LOGIN);
    expect(next.current).toEqual(LOGIN);
  });

  test.each<[string, string | null]>([
    ["missing", null],
    ["empty", ""],
    ["half written", JSON.stringify(LIMIT).slice(0, -3)],
    ["of an unknown kind", JSON.stringify({ ...LIMIT, kind: "mood" })],
    ["without its end", JSON.stringify({ ...LIMIT, untilMs: undefined })],
    ["with an end that is no number", JSON.stringify({ ...LIMIT, untilMs: "tomorrow" })],
    ["no object", "42"],
    ["binary", "\0\0\0"],
  ])("holds nothing when the file is %s", async (_what, text) => {
    if (text !== null) writeFileSync(file(), text);
    const next = newHold();
    await next.load();
    expect(next.current).toBeNull();
    expect(next.allow(7)).toBe(7);
    expect(onChange).not.toHaveBeenCalled();
  });

  test("holds nothing when the file is a directory", async () => {
    mkdirSync(file());
    const next = newHold();
    await next.load();
    expect(next.allow(7)).toBe(7);
  });
});

describe("a disk that fails for a while", () => {
  test("does not keep the hold from the next daemon: a raise that is tried again is kept and told", async () => {
    rmSync(stateDir, { recursive: true });
    const hold = newHold();
    await expect(hold.raise(LIMIT)).rejects.toMatchObject({ code: "ENOENT" });
    mkdirSync(stateDir);
    await hold.raise(LIMIT);
    const next = newHold();
    await next.load();
    expect(next.current).toEqual(LIMIT);
    expect(told()).toEqual([LIMIT, LIMIT]);
  });
});
