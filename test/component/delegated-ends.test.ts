import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { cancelTask } from "../../src/control/cancel.ts";
import type { TaskFile } from "../../src/core/task.ts";
import { cancelledFooter } from "../../src/ledger/cancellation.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { CutShort } from "../../src/ledger/cut-short.ts";
import { renderFooter } from "../../src/ledger/footer.ts";
import type { Shelf } from "../../src/ledger/layout.ts";
import { type Marker, writeMarker } from "../../src/ledger/marker.ts";
import { readInbox } from "../../src/ledger/read-inbox.ts";
import { type RunFooter, shelveText } from "../../src/ledger/shelve.ts";
import { shelveDelegated } from "../../src/ledger/shelve-delegated.ts";
import { hesitate, nextHesitation } from "../helpers/hesitate.ts";

const ROUNDS = 200;
const TEXT = "Do it.\n";
const DONE: RunFooter = { result: "done", finishedAt: new Date(), run: "kabcdefghi-1" };
const CANCELLED = "kabcdefghi-1-cancelled-6b5c1f9e-6c0e-4c86-9a8e-0d6f3c1b2a47";
/** Nobody is at an end for so long. */
const LONG_MS = 16_000;
const ENDING = ".x.md.ending";

let task: TaskFile;
let marker: Marker;

const at = (...parts: string[]) => join(task.project, ".agent-queue", ...parts);
const names = (folder: string) => (existsSync(at(folder)) ? readdirSync(at(folder)).sort() : []);
const shelve = async (shelf: Shelf, footer: RunFooter) => await shelveText(task, shelf, TEXT, footer);
const bringHome = async () => await shelveDelegated(task, marker, "done", DONE);

async function putOut(): Promise<void> {
  const project = mkdtempSync(join(tmpdir(), "ccl-ends-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  task = { project, name: "x.md" };
  mkdirSync(at("inbox"), { recursive: true });
  writeFileSync(at("inbox", "x.md"), TEXT);
  const sighting = await sight(at("inbox", "x.md"));
  marker = {
    ...{ job: "kabcdefghi", attempt: 1, earlierRuns: 0, remoteId: "job-1", provider: "gpu", reason: "", text: TEXT },
    ...{ submittedAt: new Date().toISOString(), fingerprint: sighting === null ? "" : fingerprint(sighting) },
  };
  await writeMarker(task, marker);
}

beforeEach(async () => {
  await putOut();
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
});

const longAfter = () => vi.setSystemTime(Date.now() + LONG_MS);
const endLeft = async () => await new CutShort(task.project).end((await readInbox(task.project)).hidden);

test("a delegated task that comes home while it is cancelled ends once, and whoever came second knows it", async () => {
  const winners = new Set<string>();
  let turns = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await putOut();
    const [cancelled, home] = await Promise.allSettled([
      hesitate(round % 8).then(async () => await cancelTask(task, null)),
      hesitate(turns).then(bringHome),
    ]);
    const winner = names("done").length > 0 ? "done" : "failed";
    expect([names("inbox"), [...names("done"), ...names("failed")]]).toEqual([[], ["x.md"]]);
    expect(readFileSync(at(winner, "x.md"), "utf8").startsWith(TEXT)).toBe(true);
    expect([cancelled.status, home.status]).toEqual(
      winner === "done" ? ["rejected", "fulfilled"] : ["fulfilled", "rejected"],
    );
    winners.add(winner);
    turns = nextHesitation(turns, winner === "done");
  }
  expect(winners).toEqual(new Set(["done", "failed"]));
});

test("a cancellation names the job that the marker names", async () => {
  await cancelTask(task, null);
  expect(readFileSync(at("failed", "x.md"), "utf8")).toMatch(/^\| run \| kabcdefghi-1-cancelled-[\da-f-]{36} \|$/m);
});

describe("an end that somebody else has begun", () => {
  beforeEach(() => writeFileSync(at("inbox", ENDING), CANCELLED));

  test("is left to them for a while", async () => {
    const before = names("inbox");
    await expect(bringHome()).rejects.toMatchObject({ code: "ENOENT" });
    await expect(cancelTask(task, null)).rejects.toMatchObject({ code: "TASK_UNKNOWN" });
    expect([names("inbox"), names("done"), names("failed")]).toEqual([before, [], []]);
  });

  test.each([
    ["before its result was written", async () => {}],
    ["after that", async () => void (await shelve("failed", cancelledFooter(CANCELLED)))],
  ])("and was cut short %s, a cancellation, is brought to its end", async (_when, leave) => {
    await leave();
    longAfter();
    await expect(bringHome()).rejects.toMatchObject({ code: "ENOENT" });
    expect([names("inbox"), names("done"), names("failed")]).toEqual([[], [], ["x.md"]]);
    expect(readFileSync(at("failed", "x.md"), "utf8")).toContain(`| run | ${CANCELLED} |`);
  });

  test.each([
    ["nobody knows what for", ""],
    ["for another run of it", "kabcdefghi-7"],
    ["for another task of that name", "zabcdefghi-1-cancelled-6b5c1f9e-6c0e-4c86-9a8e-0d6f3c1b2a47"],
  ])("and was cut short, %s, is nobody's after a while", async (_what, run) => {
    writeFileSync(at("inbox", ENDING), run);
    longAfter();
    await expect(bringHome()).rejects.toMatchObject({ code: "ENOENT" });
    expect(await bringHome()).toBe(at("done", "x.md"));
    expect([names("inbox"), names("done"), names("failed")]).toEqual([[], ["x.md"], []]);
  });
});

test("an end of one's own that a crash cut short goes on at once", async () => {
  writeFileSync(at("inbox", ENDING), "kabcdefghi-1");
  expect(await bringHome()).toBe(at("done", "x.md"));
  expect([names("inbox"), names("done")]).toEqual([[], ["x.md"]]);
});

describe("a result that was put back into the inbox before a crash let its end be told", () => {
  test.each(["x.md", "x-2.md", "x.md.dispatched"])("as %s is not written again", async (name) => {
    writeFileSync(at("inbox", ENDING), "kabcdefghi-1");
    renameSync(await shelve("done", DONE), at("inbox", name));
    expect(await bringHome()).toBe(at("inbox", name));
    expect([names("inbox"), names("done")]).toEqual([[name], []]);
    expect(readFileSync(at("inbox", name), "utf8")).toBe(TEXT + renderFooter(DONE));
  });

  test("and is in its place besides is known by that", async () => {
    writeFileSync(at("inbox", ENDING), "kabcdefghi-1");
    copyFileSync(await shelve("done", DONE), at("inbox", "x.md"));
    expect(await bringHome()).toBe(at("done", "x.md"));
    expect([names("inbox"), names("done")]).toEqual([["x.md"], ["x.md"]]);
  });

  test("by somebody who cancelled it is not written again either", async () => {
    writeFileSync(at("inbox", ENDING), CANCELLED);
    renameSync(await shelve("failed", cancelledFooter(CANCELLED)), at("inbox", "x.md"));
    longAfter();
    await expect(bringHome()).rejects.toMatchObject({ code: "ENOENT" });
    expect([names("inbox"), names("done"), names("failed")]).toEqual([["x.md"], [], []]);
  });

  test.each([
    ["another task's result", "y.md", DONE],
    ["a result of another run", "x.md", { ...DONE, run: "kabcdefghi-0" }],
  ])("is not mixed up with %s", async (_what, name, footer) => {
    writeFileSync(at("inbox", ENDING), "kabcdefghi-1");
    writeFileSync(at("inbox", name), TEXT + renderFooter(footer));
    expect(await bringHome()).toBe(at("done", "x.md"));
    expect([names("inbox"), names("done")]).toEqual([[name], ["x.md"]]);
  });
});

test("what is over already is not ended again", async () => {
  await bringHome();
  await expect(shelveDelegated(task, marker, "failed", cancelledFooter(CANCELLED))).rejects.toMatchObject({
    code: "ENOENT",
  });
  expect([names("inbox"), names("done"), names("failed")]).toEqual([[], ["x.md"], []]);
});

test("what is left of an end whose marker is gone is cleared away once nobody can be at it", async () => {
  rmSync(at("inbox", "x.md.delegated"));
  rmSync(at("inbox", "x.md"));
  writeFileSync(at("inbox", ENDING), "kabcdefghi-1");
  await endLeft();
  expect(names("inbox")).toEqual([ENDING]);
  longAfter();
  await endLeft();
  expect(names("inbox")).toEqual([]);
});

test("that of an end whose marker is there stays", async () => {
  writeFileSync(at("inbox", ENDING), CANCELLED);
  longAfter();
  await endLeft();
  expect(names("inbox")).toEqual([ENDING, "x.md", "x.md.delegated"]);
});
