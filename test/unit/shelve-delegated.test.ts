import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { TaskFile } from "../../src/core/task.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { findShelved } from "../../src/ledger/find-shelved.ts";
import { type Marker, writeMarker } from "../../src/ledger/marker.ts";
import type { RunFooter } from "../../src/ledger/shelve.ts";
import { clearAway, shelveDelegated } from "../../src/ledger/shelve-delegated.ts";
import { until } from "../helpers/until.ts";

const TEXT = "---\nallow_delegation: true\n---\nDo it.\n";
const FOOTER: RunFooter = {
  ...{ result: "done", finishedAt: new Date("2026-11-21T09:30:00Z"), run: "kabcdefghi-1", provider: "gpu (job-1)" },
  text: "It is done.",
};

let task: TaskFile;
let marker: Marker;

const at = (...names: string[]) => join(task.project, ".agent-queue", ...names);
const names = (folder: string) => readdirSync(at(folder)).sort();
const read = (folder: string, name: string) => readFileSync(at(folder, name), "utf8");
const shelve = async (footer = FOOTER) =>
  await shelveDelegated(task, marker, footer.result === "done" ? "done" : "failed", footer);

beforeEach(async () => {
  const project = mkdtempSync(join(tmpdir(), "ccl-queue-unit-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  task = { project, name: "x.md" };
  mkdirSync(at("inbox"), { recursive: true });
  await putOut(TEXT);
});

/** Drops x.md and marks it as submitted. */
async function putOut(text: string): Promise<void> {
  writeFileSync(at("inbox", "x.md"), text);
  const sighting = await sight(at("inbox", "x.md"));
  if (sighting === null) throw new Error("it is gone");
  marker = {
    ...{
      job: "kabcdefghi",
      attempt: 1,
      earlierRuns: 0,
      remoteId: "job-1",
      provider: "gpu",
      reason: "no complexity_hint",
      text,
    },
    ...{ submittedAt: "2026-11-21T09:00:00.000Z", fingerprint: fingerprint(sighting) },
  };
  await writeMarker(task, marker);
}

describe("a delegated task that is over", () => {
  test("is in done/ with what was submitted and the footer, and the inbox is empty", async () => {
    expect(await shelve()).toBe(at("done", "x.md"));
    expect(names("inbox")).toEqual([]);
    expect(names("done")).toEqual(["x.md"]);
    expect(read("done", "x.md")).toContain(`${TEXT}\n\n<!-- ccl-queue:footer -->\n`);
    expect(read("done", "x.md")).toContain("| provider | gpu (job-1) |");
    expect(read("done", "x.md")).toContain("\n> It is done.\n");
    expect(await findShelved(task, "kabcdefghi-1")).toEqual({ shelf: "done", path: at("done", "x.md") });
    expect(await findShelved(task, "kabcdefghi-2")).toBeNull();
  });

  test("is in failed/ when it failed", async () => {
    const error = { code: "SECUTOOLS_JOB_LOST", message: "the platform no longer knows the task" };
    expect(await shelve({ ...FOOTER, result: "failed", error })).toBe(at("failed", "x.md"));
    expect(names("inbox")).toEqual([]);
    expect(await findShelved(task, "kabcdefghi-1")).toMatchObject({ shelf: "failed" });
  });

  test("keeps every byte of its text, and loses the footer of an earlier run", async () => {
    await shelve();
    const again = read("done", "x.md");
    await putOut(again);
    await shelve({ ...FOOTER, run: "kabcdefghi-2" });
    expect(read("done", "x-2.md").split("<!-- ccl-queue:footer -->")).toHaveLength(2);
    expect(read("done", "x-2.md")).toContain("| run | kabcdefghi-2 |");
    await putOut("\uFEFF---\r\ntitle: ä\r\n---\r\nMach es. 🦊");
    await shelve({ ...FOOTER, run: "kabcdefghi-3" });
    expect(read("done", "x-3.md").split("\n\n<!-- ccl-queue")[0]).toBe("\uFEFF---\r\ntitle: ä\r\n---\r\nMach es. 🦊");
  });

  test("leaves alone what another run has claimed under its name", async () => {
    writeFileSync(at("inbox", "x.md.dispatched"), "Another one.\n");
    await shelve();
    expect(names("inbox")).toEqual(["x.md.dispatched"]);
    expect(read("inbox", "x.md.dispatched")).toBe("Another one.\n");
    expect(read("done", "x.md")).toContain(TEXT);
  });

  test("never takes the name of another file", async () => {
    mkdirSync(at("done"));
    writeFileSync(at("done", "x.md"), "from before");
    expect(await shelve()).toBe(at("done", "x-2.md"));
    expect(read("done", "x.md")).toBe("from before");
  });
});

describe("a file that is not what was submitted any more", () => {
  test.each([
    ["was written to", () => appendFileSync(at("inbox", "x.md"), "And more.\n")],
    [
      "was replaced",
      () => {
        writeFileSync(at("inbox", "new"), TEXT);
        renameSync(at("inbox", "new"), at("inbox", "x.md"));
      },
    ],
  ])("because it %s stays, without its marker", async (_what, change) => {
    change();
    const changed = read("inbox", "x.md");
    await shelve();
    expect(names("inbox")).toEqual(["x.md"]);
    expect(read("inbox", "x.md")).toBe(changed);
    expect(read("done", "x.md")).toContain(TEXT);
  });

  test("because it was deleted is not missed", async () => {
    rmSync(at("inbox", "x.md"));
    await shelve();
    expect(names("inbox")).toEqual([]);
    expect(read("done", "x.md")).toContain(TEXT);
  });

  test("stays claimed, where a crash left it so: the sweep gives back what is no run's", async () => {
    renameSync(at("inbox", "x.md"), at("inbox", "x.md.dispatched"));
    appendFileSync(at("inbox", "x.md.dispatched"), "And more.\n");
    await shelve();
    expect(names("inbox")).toEqual(["x.md.dispatched"]);
    expect(read("inbox", "x.md.dispatched")).toBe(`${TEXT}And more.\n`);
  });
});

describe("repeated after a crash", () => {
  /** What stands in the inbox when the crash comes, by what was done before. */
  const crashes: [when: string, leave: () => void][] = [
    ["done/ was written", () => linkSync(at("kept"), at("inbox", "x.md"))],
    ["the file was claimed", () => linkSync(at("kept"), at("inbox", "x.md.dispatched"))],
    ["the file was removed", () => {}],
  ];

  test.each(crashes)("when %s: there is one result, and nothing else is left", async (_when, leave) => {
    linkSync(at("inbox", "x.md"), at("kept"));
    await shelve();
    const first = read("done", "x.md");
    leave();
    await writeMarker(task, marker);
    expect(await shelve({ ...FOOTER, text: "It is done another time." })).toBe(at("done", "x.md"));
    expect(names("done")).toEqual(["x.md"]);
    expect(read("done", "x.md")).toBe(first);
    expect(names("inbox")).toEqual([]);
  });

  test("in mid-write: what it left of the draft is taken up", async () => {
    mkdirSync(at("done"));
    writeFileSync(at("done", ".kabcdefghi-1.draft"), "half of");
    const seen = new Set<string>();
    const watcher = watch(at("done"), (_event, name) => seen.add(name ?? ""));
    await shelve();
    await until("the result is seen", () => seen.has("x.md"));
    watcher.close();
    expect([...seen].sort()).toEqual([".kabcdefghi-1.draft", "x.md"]);
    expect(readdirSync(at("done"))).toEqual(["x.md"]);
  });

  test("clearing the inbox alone may be repeated too", async () => {
    await clearAway(task, marker);
    await clearAway(task, marker);
    expect(names("inbox")).toEqual([]);
  });
});
