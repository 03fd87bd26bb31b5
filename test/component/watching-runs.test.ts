import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Phase } from "../../src/workers/claude/phase.ts";
import { Absence } from "../../src/workers/run/absence.ts";
import { RunFiles } from "../../src/workers/run/files.ts";
import type { RunRecord } from "../../src/workers/run/record.ts";
import { RunStore } from "../../src/workers/run/store.ts";
import { type Progress, type WatchedRun, watchRun } from "../../src/workers/run/watch.ts";
import { until } from "../helpers/until.ts";

const LAUNCHED_AT = 1_795_000_000_000;
const STOPPED_AT = LAUNCHED_AT + 60_000;
const SETTLE_MS = 1_000;
const LIMITS = { promptTimeoutMs: 30_000, timeoutMs: 7_200_000, attentionTimeoutMs: 3_600_000 };

const record: RunRecord = {
  id: "kabcdefghi-1",
  job: "kabcdefghi",
  project: "/nowhere/site",
  name: "x.md",
  priority: "high",
  reason: "allow_delegation is not true",
  session: "ccl-auto-11",
  model: "sonnet",
  claudeSession: "3f2a9c1e-1111-4222-8333-444455556666",
  resumed: false,
  attempt: 1,
  promptHash: "",
  timeoutMs: LIMITS.timeoutMs,
  preparedAtMs: LAUNCHED_AT,
  state: { name: "launched", atMs: LAUNCHED_AT },
};

let store: RunStore;
let phases: string[];

beforeEach(async () => {
  const root = mkdtempSync(join(tmpdir(), "watch-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  store = new RunStore(root);
  phases = [];
  await store.create(record);
});

/** An event that a hook kept at a certain time. */
function keep(name: string, atMs: number, event: object): void {
  const path = store.pathOf(record.id, "events", `${name}.json`);
  writeFileSync(path, JSON.stringify({ session_id: record.claudeSession, ...event }));
  utimesSync(path, atMs / 1_000, atMs / 1_000);
}

function keepWholeRun(session = record.claudeSession): void {
  const common = { session_id: session };
  keep("1", LAUNCHED_AT + 10, { ...common, hook_event_name: "SessionStart", source: "startup" });
  keep("2", LAUNCHED_AT + 20, { ...common, hook_event_name: "UserPromptSubmit", prompt: "[run kabcdefghi-1]\nDo it." });
  keep("10", STOPPED_AT, { ...common, hook_event_name: "Stop", last_assistant_message: "Done." });
}

/** Watches the run until it ends, or is told to stop with the test. */
function watch(more: Partial<WatchedRun> = {}, signal = new AbortController().signal) {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const files = new RunFiles(store, record.id);
  const onPhase = (phase: Phase) => void phases.push(phase.name);
  const isTypedIn = async () => false;
  const parts = { store, files, absence: new Absence("kabcdefghi-1"), limits: LIMITS, isTypedIn };
  const run: WatchedRun = { record, launchedAtMs: LAUNCHED_AT, ...parts, onPhase, onLook: () => {}, ...more };
  return watchRun(run, AbortSignal.any([signal, abort.signal]));
}

test("a run that ended while nobody watched is read from what its hooks left, in order", async () => {
  keepWholeRun();
  vi.spyOn(Date, "now").mockReturnValue(STOPPED_AT + SETTLE_MS);
  expect(await watch()).toEqual({
    atMs: STOPPED_AT,
    end: { kind: "finished", message: "Done." },
    submitted: true,
  });
  expect(phases).toEqual(["ready", "running", "stopped"]);
});

test("a stop that settles a moment after a look is looked at again at once, not a second later", async () => {
  keepWholeRun();
  vi.spyOn(Date, "now")
    .mockReturnValueOnce(STOPPED_AT + SETTLE_MS - 1)
    .mockReturnValue(STOPPED_AT + SETTLE_MS + 1);
  const ended = watch().then((run) => run?.end.kind);
  expect(await Promise.race([ended, sleep(500, "still waits")])).toBe("finished");
});

test("another session's events, such as those of an agent within the agent, say nothing about the run", async () => {
  keepWholeRun("99999999-1111-4222-8333-444455556666");
  const unready = LAUNCHED_AT + LIMITS.promptTimeoutMs + 1;
  const times = [unready];
  const late = unready + LIMITS.attentionTimeoutMs + 1;
  let last = unready;
  vi.spyOn(Date, "now").mockImplementation(() => {
    last = times.shift() ?? late;
    return last;
  });
  vi.spyOn(performance, "now").mockImplementation(() => last - LAUNCHED_AT);
  expect(await watch()).toMatchObject({ end: { kind: "blocked", waitedMs: 3_600_001 }, submitted: false });
  expect(phases).toEqual(["attention"]);
});

test("an agent that left an exit code has ended, and its exit counts only after what its hooks left", async () => {
  keepWholeRun();
  writeFileSync(store.pathOf(record.id, "exit"), "0\n");
  vi.spyOn(Date, "now").mockReturnValue(STOPPED_AT + 1);
  expect(await watch()).toMatchObject({ end: { kind: "finished" } });
});

test("an agent that left an exit code and no Stop has crashed", async () => {
  writeFileSync(store.pathOf(record.id, "exit"), "137\n");
  vi.spyOn(Date, "now").mockReturnValue(LAUNCHED_AT + 10);
  expect(await watch()).toMatchObject({ end: { kind: "crashed", exitCode: 137 } });
});

describe("an agent that crashed without another sign of life", () => {
  const CRASHED_AT = LAUNCHED_AT + 600_000;

  beforeEach(() => {
    keep("1", LAUNCHED_AT + 10, { hook_event_name: "SessionStart", source: "startup" });
    keep("2", LAUNCHED_AT + 20, { hook_event_name: "UserPromptSubmit", prompt: "[run kabcdefghi-1]\nDo it." });
  });

  test("ended when its exit code was left, whenever that is found", async () => {
    writeFileSync(store.pathOf(record.id, "exit"), "1\n");
    utimesSync(store.pathOf(record.id, "exit"), CRASHED_AT / 1_000, CRASHED_AT / 1_000);
    vi.spyOn(Date, "now").mockReturnValue(CRASHED_AT + 3_600_000);
    expect(await watch()).toMatchObject({ end: { kind: "crashed", exitCode: 1 }, atMs: CRASHED_AT });
  });

  test("was there until the last look that saw it, where it left no code", async () => {
    const agent = spawn("sleep", ["60"]);
    onTestFinished(() => void agent.kill("SIGKILL"));
    writeFileSync(store.pathOf(record.id, "pid"), `${agent.pid} \n`);
    vi.spyOn(Date, "now")
      .mockReturnValueOnce(CRASHED_AT)
      .mockReturnValue(CRASHED_AT + 1_000);
    const onLook = () => void agent.kill("SIGKILL");
    const limits = { ...LIMITS, timeoutMs: 3_600_000 };
    expect(await watch({ onLook, limits })).toMatchObject({
      end: { kind: "crashed", exitCode: null },
      atMs: CRASHED_AT,
    });
  });
});

test("a watch that is called off lets the run go on", async () => {
  expect(await watch({}, AbortSignal.abort())).toBeNull();
  expect(phases).toEqual([]);
});

describe("an event that was kept twice", () => {
  const submit = (prompt_id: string, prompt: string) => ({ hook_event_name: "UserPromptSubmit", prompt_id, prompt });
  const stop = (prompt_id: string, more: object) => ({ hook_event_name: "Stop", prompt_id, ...more });
  const start = { hook_event_name: "SessionStart", source: "startup" };
  const ours = submit("p1", "[run kabcdefghi-1]\nDo it.");
  const rests = stop("p1", { last_assistant_message: "I wait.", background_tasks: [{ id: "b1" }] });
  const woken = submit("p2", "<task-notification>…");
  const done = stop("p2", { last_assistant_message: "Done." });
  const whole = [start, ours, rests, woken, done];

  /** How a run stands after these events, once they have settled. */
  async function standing(events: readonly object[]): Promise<Phase> {
    for (const [index, event] of events.entries()) keep(String(index), LAUNCHED_AT + index, event);
    vi.spyOn(Date, "now").mockReturnValue(LAUNCHED_AT + events.length + SETTLE_MS);
    const { phase } = await new Promise<Progress>((resolve) => void watch({ onLook: resolve }));
    return phase;
  }

  const twice = whole.flatMap((event, index) =>
    whole.slice(index).map((_, later) => ({
      what: `${event.hook_event_name} ${index} after ${index + later}`,
      events: whole.toSpliced(index + later + 1, 0, event),
    })),
  );
  test.each(twice)("changes nothing: $what", async ({ events }) => {
    expect(await standing(events)).toMatchObject({ name: "ended", end: { kind: "finished", message: "Done." } });
  });

  test("is none where a turn stops once more, as another hook can make it go on", async () => {
    const events = [start, ours, rests, { ...done, prompt_id: "p1" }];
    expect(await standing(events)).toMatchObject({ name: "ended", end: { kind: "finished", message: "Done." } });
  });

  test("is not known as one without the id of its prompt", async () => {
    const events = [start, ours, { ...done, prompt_id: undefined }, { ...woken, prompt_id: undefined }];
    expect(await standing(events)).toMatchObject({ name: "running" });
  });
});

describe("the end of an agent that has stopped", () => {
  test("is put off while a person is typing in its session, and who goes on with it is seen", async () => {
    keepWholeRun();
    const looks: Progress[] = [];
    let typing = true;
    vi.spyOn(Date, "now").mockReturnValue(STOPPED_AT + 2 * SETTLE_MS);
    const ended = watch({ isTypedIn: async () => typing, onLook: (progress) => void looks.push(progress) });
    await until("it was looked at", () => looks.length > 0);
    expect(looks.at(-1)?.phase.name).toBe("stopped");
    keep("11", STOPPED_AT + 2 * SETTLE_MS, { hook_event_name: "UserPromptSubmit", prompt: "And now?" });
    await until("it goes on", () => looks.at(-1)?.phase.name === "running");
    typing = false;
    keep("12", STOPPED_AT + SETTLE_MS, { hook_event_name: "Stop", last_assistant_message: "Now, too." });
    expect(await ended).toMatchObject({ end: { kind: "finished", message: "Now, too." } });
  });

  test("asks nobody whether a person is typing before it has settled", async () => {
    keep("1", LAUNCHED_AT + 10, { hook_event_name: "SessionStart", source: "startup" });
    vi.spyOn(Date, "now").mockReturnValue(LAUNCHED_AT + 20);
    const isTypedIn = vi.fn(async () => true);
    await new Promise<Progress>((resolve) => void watch({ isTypedIn, onLook: resolve }));
    expect(isTypedIn).not.toHaveBeenCalled();
  });
});

test("a run whose project is renamed in the middle of a look follows it there, and does not count as cancelled", async () => {
  const projects = mkdtempSync(join(tmpdir(), "watch-"));
  onTestFinished(() => rmSync(projects, { recursive: true }));
  const [before, after] = [join(projects, "before"), join(projects, "after")];
  mkdirSync(join(after, ".agent-queue", "inbox"), { recursive: true });
  const reads = [before];
  const followed: RunRecord = { ...record, project: after };
  Object.defineProperty(followed, "project", { get: () => reads.shift() ?? after });
  vi.spyOn(Date, "now").mockReturnValue(LAUNCHED_AT + 20);
  const { phase } = await new Promise<Progress>((resolve) => void watch({ record: followed, onLook: resolve }));
  expect(phase.name).toBe("launching");
});

describe("a clock that is set while an agent works", () => {
  const HOUR_MS = 3_600_000;
  const limits = { ...LIMITS, timeoutMs: 60_000 };

  test.each([HOUR_MS, -HOUR_MS])("by %i ms: nobody was silent for that time", async (jumpMs) => {
    keep("1", LAUNCHED_AT + 10, { hook_event_name: "SessionStart", source: "startup" });
    keep("2", LAUNCHED_AT + 20, { hook_event_name: "UserPromptSubmit", prompt: "[run kabcdefghi-1]\nDo it." });
    vi.spyOn(Date, "now")
      .mockReturnValueOnce(LAUNCHED_AT + 30)
      .mockReturnValue(LAUNCHED_AT + 40 + jumpMs);
    const looks: Progress[] = [];
    const ended = watch({ limits, onLook: (progress) => void looks.push(progress) });
    await until("it was looked at after that", () => looks.length >= 2);
    expect(looks.map(({ phase }) => phase.name)).toEqual(["running", "running"]);
    keep("3", LAUNCHED_AT + 40 + jumpMs - SETTLE_MS, {
      hook_event_name: "Stop",
      last_assistant_message: "Done.",
    });
    expect(await ended).toMatchObject({ end: { kind: "finished", message: "Done." } });
  });

  test.each([HOUR_MS, -HOUR_MS])("by %i ms after it has stopped: its end is seen at once", async (jumpMs) => {
    keepWholeRun();
    vi.spyOn(Date, "now")
      .mockReturnValueOnce(STOPPED_AT + 10)
      .mockReturnValueOnce(STOPPED_AT + 500 + jumpMs)
      .mockReturnValue(STOPPED_AT + SETTLE_MS + jumpMs + 500);
    expect(await watch({ limits })).toMatchObject({ end: { kind: "finished" } });
  });
});
