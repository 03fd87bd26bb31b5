import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { holdView, viewHold } from "../../src/control/hold-view.ts";
import { describeHold } from "../../src/core/describe-event.ts";
import { FOREVER_MS, type Hold } from "../../src/core/verdict.ts";
import { PoolHold } from "../../src/workers/pool-hold.ts";

const START = Date.UTC(2026, 10, 21, 20);
const HOUR_MS = 3_600_000;
const MANUAL: Hold = { kind: "manual", sinceMs: START, untilMs: FOREVER_MS, message: "deploying" };
const LIMIT: Hold = { kind: "limit", sinceMs: START, untilMs: START + HOUR_MS, message: "resets 9pm (UTC)" };

describe("operators see", () => {
  test("no hold as none", () => {
    expect(viewHold(null)).toBeNull();
    expect(describeHold(null)).toBe("the pool is no longer held");
  });

  test("one without an end as such", () => {
    const view = { kind: "manual", since: "2026-11-21T20:00:00.000Z", until: null, message: "deploying" };
    expect(viewHold(MANUAL)).toEqual(view);
    expect(holdView.parse(view)).toEqual(view);
    expect(describeHold(MANUAL)).toBe("the pool is held until somebody resumes it: deploying");
  });

  test("one with an end, and when that is", () => {
    const until = "2026-11-21T21:00:00.000Z";
    expect(viewHold(LIMIT)).toEqual({
      ...{ kind: "limit", message: LIMIT.message },
      ...{ since: "2026-11-21T20:00:00.000Z", until },
    });
    expect(describeHold(LIMIT)).toContain(`the pool is held until ${until}`);
  });

  test("a message of several lines in one", () => {
    const text = describeHold({ ...MANUAL, message: "deploying\n  the site\n" });
    expect(text).toBe("the pool is held until somebody resumes it: deploying the site ");
    expect(viewHold({ ...MANUAL, message: "a\nb" })?.message).toBe("a\nb");
  });
});

describe("a hold without an end", () => {
  let stateDir: string;
  let nowMs: number;
  const onChange = vi.fn<(hold: Hold | null) => void>();
  const newHold = () => new PoolHold({ stateDir, now: () => nowMs, onChange });
  const told = () => onChange.mock.calls.map(([hold]) => hold);

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "manual-hold-"));
    onTestFinished(() => rmSync(stateDir, { recursive: true }));
    nowMs = START;
    onChange.mockReset();
  });

  test("gives out nothing, not even a probe, however late it is", async () => {
    const hold = newHold();
    await hold.raise(MANUAL);
    for (const later of [0, HOUR_MS, 1_000 * 24 * HOUR_MS]) {
      nowMs = START + later;
      expect(hold.allow(7)).toBe(0);
    }
    expect(told()).toEqual([MANUAL]);
  });

  test("is not ended by a run that was under way and gets through", async () => {
    const hold = newHold();
    await hold.raise(MANUAL);
    hold.launched("kabcdefghi");
    await hold.passed("kabcdefghi");
    expect(hold.current).toEqual(MANUAL);
    expect(hold.allow(1)).toBe(0);
  });

  test("is the same after a restart, with its whole message, and is told again", async () => {
    const hold = { ...MANUAL, message: 'Über\n東京 "x"' };
    await newHold().raise(hold);
    const next = newHold();
    await next.load();
    expect(next.current).toEqual(hold);
    expect(next.allow(7)).toBe(0);
    expect(told()).toEqual([hold, hold]);
  });

  test("is over when it is released, and leaves nothing, also after a restart", async () => {
    const hold = newHold();
    await hold.raise(MANUAL);
    await hold.release();
    expect(hold.current).toBeNull();
    expect(hold.allow(7)).toBe(7);
    expect(readdirSync(stateDir)).toEqual([]);
    const next = newHold();
    await next.load();
    expect(next.allow(7)).toBe(7);
    expect(told()).toEqual([MANUAL, null]);
  });

  test("takes the place of a limit's, and outlasts it", async () => {
    const hold = newHold();
    await hold.raise(LIMIT);
    await hold.raise({ ...MANUAL, sinceMs: START + 5 });
    expect(hold.current).toMatchObject({ kind: "manual", untilMs: FOREVER_MS, message: "deploying" });
    nowMs = START + 2 * HOUR_MS;
    expect(hold.allow(7)).toBe(0);
  });

  test("stays when a run meets a limit meanwhile", async () => {
    const hold = newHold();
    await hold.raise(MANUAL);
    await hold.raise(LIMIT);
    expect(hold.current).toEqual(MANUAL);
    expect(told()).toEqual([MANUAL]);
  });

  test("may be given another reason", async () => {
    const hold = newHold();
    await hold.raise(MANUAL);
    await hold.raise({ ...MANUAL, sinceMs: START + 5, message: "still deploying" });
    expect(hold.current?.message).toBe("still deploying");
    expect(hold.allow(7)).toBe(0);
  });
});

describe("a release", () => {
  let stateDir: string;
  const onChange = vi.fn<(hold: Hold | null) => void>();
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "release-"));
    onTestFinished(() => rmSync(stateDir, { recursive: true }));
    onChange.mockReset();
  });
  const newHold = (nowMs = START) => new PoolHold({ stateDir, now: () => nowMs, onChange });

  test("of nothing is nothing", async () => {
    await newHold().release();
    expect(onChange).not.toHaveBeenCalled();
  });

  test("ends a limit's hold before its time, and all may go at once", async () => {
    const hold = newHold();
    await hold.raise(LIMIT);
    await hold.release();
    expect(hold.allow(7)).toBe(7);
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test("ends one whose probe is out: the others need not wait for it", async () => {
    const hold = newHold(LIMIT.untilMs);
    await hold.raise(LIMIT);
    hold.launched("kabcdefghi");
    expect(hold.allow(7)).toBe(0);
    await hold.release();
    expect(hold.allow(7)).toBe(7);
    await hold.passed("kabcdefghi");
    expect(onChange.mock.calls).toEqual([[LIMIT], [null]]);
  });

  test("is not the last word: whoever meets the limit again holds again", async () => {
    const hold = newHold();
    await hold.raise(LIMIT);
    await hold.release();
    await hold.raise(LIMIT);
    expect(hold.allow(7)).toBe(0);
    expect(JSON.parse(readFileSync(join(stateDir, "hold.json"), "utf8"))).toEqual(LIMIT);
  });
});

test.each([
  ["a kind that nobody knows", { ...MANUAL, kind: "other" }],
  ["an end later than any date", { ...MANUAL, untilMs: FOREVER_MS + 1e5 }],
  ["no message", { ...MANUAL, message: undefined }],
])("a file with %s holds nothing", async (_what, content) => {
  const stateDir = mkdtempSync(join(tmpdir(), "bad-hold-"));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  writeFileSync(join(stateDir, "hold.json"), JSON.stringify(content));
  const hold = new PoolHold({ stateDir, now: () => START, onChange: () => {} });
  await hold.load();
  expect(hold.current).toBeNull();
});
