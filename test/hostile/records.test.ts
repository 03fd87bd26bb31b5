import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { QueueError } from "../../src/core/errors.ts";
import { newTaskId, parseRunId, runId } from "../../src/core/id.ts";
import { PROVIDERS } from "../../src/core/route.ts";
import { claimedTaskName, inboxDir, isTaskName, markedTaskName, taskPath } from "../../src/ledger/layout.ts";
import { readMarker } from "../../src/ledger/marker.ts";
import { runRecord } from "../../src/workers/run/record.ts";
import { RunStore } from "../../src/workers/run/store.ts";
import { forAll, forAllInProportion } from "../helpers/hostile.ts";
import { json, jsonLike, piece, text } from "../helpers/hostile-inputs.ts";

/** Inputs that share a folder: to write them is what takes the time. */
const RUNS = 25;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hostile-records-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const number = fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5, 1e308, 8.64e15, 2 ** 53));
const markers = jsonLike({
  job: fc.oneof(fc.constant("kabcdefgh2"), fc.constantFrom("../../etc", "", "k\n", "K"), text),
  ...{ attempt: number, earlierRuns: number },
  remoteId: fc.option(text),
  ...{ reason: text, fingerprint: text, text },
  provider: fc.constantFrom(...PROVIDERS, "__proto__"),
  submittedAt: fc.constantFrom(
    "2026-11-21T10:00:00Z",
    "2026-11-21",
    "+275760-09-13T00:00:00.001Z",
    "0000-00-00T00:00:00Z",
  ),
});
const markerSchema = z.strictObject({
  job: z.string().regex(/^[a-z0-9]+$/),
  attempt: z.int().min(1),
  earlierRuns: z.int().min(0),
  remoteId: z.string().nullable(),
  ...{ reason: z.string(), fingerprint: z.string(), text: z.string() },
  provider: z.enum(PROVIDERS),
  submittedAt: z.string().refine((it) => Number.isFinite(Date.parse(it))),
});

describe("a marker", () => {
  const task = () => ({ project: dir, name: "x.md" });
  beforeAll(() => mkdirSync(inboxDir(dir), { recursive: true }));

  forAll("says all that a task is brought home by, or is called invalid", markers, async (given) => {
    writeFileSync(`${taskPath(task())}.delegated`, given);
    const marker = await readMarker(task()).catch((error: unknown) => error);
    if (marker instanceof QueueError) expect(marker.code).toBe("MARKER_INVALID");
    else expect(markerSchema.safeParse(marker).error).toBeUndefined();
  });
});

describe("a run's record", () => {
  const ends = fc.oneof(
    fc.record({ kind: fc.constant("finished"), message: text }),
    fc.record({ kind: fc.constant("crashed"), exitCode: fc.option(number) }),
    fc.record({ kind: fc.constantFrom("limited", "left", "__proto__"), message: text }),
  );
  const records = jsonLike({
    ...{ id: text, job: text, project: text, name: text, reason: text, session: text, model: text, promptHash: text },
    priority: fc.constantFrom("high", "low"),
    claudeSession: fc.oneof(fc.uuid(), text),
    resumed: fc.boolean(),
    ...{ attempt: number, timeoutMs: number, preparedAtMs: number },
    state: fc.oneof(
      fc.constantFrom({ name: "prepared" }, { name: "launched", atMs: 1 }, { name: "closed", atMs: 1 }),
      fc.record({
        name: fc.constant("ended"),
        launchedAtMs: number,
        atMs: number,
        end: ends,
        submitted: fc.boolean(),
        screen: text,
      }),
      json,
    ),
  });

  forAll(
    "is one that can be gone on with, or none",
    fc.array(records, { minLength: RUNS, maxLength: RUNS }),
    async (given) => {
      const root = mkdtempSync(join(dir, "state-"));
      for (const [index, record] of given.entries()) {
        mkdirSync(join(root, "runs", `run-${index}`), { recursive: true });
        writeFileSync(join(root, "runs", `run-${index}`, "run.json"), record);
      }
      for (const record of await new RunStore(root).open()) {
        expect(runRecord.safeParse(record).error).toBeUndefined();
        expect(record.state.name).not.toBe("closed");
      }
      rmSync(root, { recursive: true });
    },
    { batch: RUNS },
  );
});

describe("a name", () => {
  /** What the file system lets a file be called. */
  const names = text.map((it) => it.replaceAll(/[/\0]/g, "")).filter((it) => !["", " .", "..", "."].includes(it));

  forAll("in an inbox is that of one task at most, which lies there", names, (name) => {
    const tasks = [isTaskName(name) ? name : null, claimedTaskName(name), markedTaskName(name)].filter(
      (it) => it !== null,
    );
    expect(tasks.length).toBeLessThanOrEqual(1);
    for (const task of tasks) expect(taskPath({ project: "/p", name: task })).toBe(`${inboxDir("/p")}${sep}${task}`);
  });

  forAll("of a run is one that we made, or none", text, (given) => {
    const id = newTaskId();
    expect(parseRunId(runId(id, 7))).toEqual({ id, runs: 7 });
    const read = parseRunId(given);
    if (read !== null) expect(given.startsWith(runId(read.id, read.runs).slice(0, 11))).toBe(true);
  });

  test.each(["..", "../x-1", "kabcdefgh2-1/..", "kabcdefgh2-1\n", "kabcdefgh2-1-cancelled-x", "__proto__-1"])(
    "of a run is not %j",
    (name) => expect(parseRunId(name)).toBeNull(),
  );
});

forAllInProportion("a run's name is read in a time in proportion to it", piece, parseRunId);
