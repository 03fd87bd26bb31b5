import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { TaskFile } from "../../src/core/task.ts";
import { isMarked, type Marker, readMarker, removeMarker, writeMarker } from "../../src/ledger/marker.ts";
import { readInbox } from "../../src/ledger/read-inbox.ts";

const MARKER: Marker = {
  ...{
    job: "kabcdefghi",
    attempt: 2,
    earlierRuns: 1,
    remoteId: "job-1",
    provider: "gpu",
    reason: "complexity_hint is low",
  },
  ...{ submittedAt: "2026-11-21T09:30:00.000Z", fingerprint: "1-2-3", text: "\uFEFF---\r\ntitle: ä\r\n---\r\nDo it." },
};

let task: TaskFile;
let inbox: string;
let path: string;

beforeEach(() => {
  const project = mkdtempSync(join(tmpdir(), "ccl-queue-unit-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  task = { project, name: "x.md" };
  inbox = join(project, ".agent-queue", "inbox");
  path = join(inbox, "x.md.delegated");
  mkdirSync(inbox, { recursive: true });
});

describe("a marker", () => {
  test("is read as it was written, byte for byte, and only its owner may", async () => {
    await writeMarker(task, MARKER);
    expect(await readMarker(task)).toEqual(MARKER);
    expect(readdirSync(inbox)).toEqual(["x.md.delegated"]);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  test("is written anew in whole", async () => {
    await writeMarker(task, MARKER);
    await writeMarker(task, { ...MARKER, attempt: 3, text: "short" });
    expect(await readMarker(task)).toEqual({ ...MARKER, attempt: 3, text: "short" });
  });

  test("is whole at any time, though two daemons write that of one attempt at once", async () => {
    const both = [MARKER, { ...MARKER, remoteId: null, text: "long ".repeat(50_000) }];
    await writeMarker(task, MARKER);
    for (let round = 0; round < 50; round += 1) {
      const writing = Promise.all(both.map(async (marker) => await writeMarker(task, marker)));
      expect(both).toContainEqual(await readMarker(task));
      await writing;
      expect(both).toContainEqual(await readMarker(task));
    }
    expect(readdirSync(inbox)).toEqual(["x.md.delegated"]);
  });

  test("that cannot take its place leaves nothing behind", async () => {
    mkdirSync(path);
    await expect(writeMarker(task, MARKER)).rejects.toThrow("EISDIR");
    expect(readdirSync(inbox)).toEqual(["x.md.delegated"]);
  });

  test("is none where there is none, nor where there is no inbox", async () => {
    expect(await readMarker(task)).toBeNull();
    expect(await isMarked(task)).toBe(false);
    rmSync(inbox, { recursive: true });
    expect(await readMarker(task)).toBeNull();
    writeFileSync(inbox, "not a folder");
    expect(await readMarker(task)).toBeNull();
    expect(await isMarked(task)).toBe(false);
  });

  test("is removed, and removing it again does nothing", async () => {
    await writeMarker(task, MARKER);
    await removeMarker(task);
    await removeMarker(task);
    expect(readdirSync(inbox)).toEqual([]);
  });

  test("belongs to the task of its name, in the inbox's listing too", async () => {
    await writeMarker(task, MARKER);
    writeFileSync(join(inbox, "x.md"), "Do it.");
    for (const name of [".x.md.delegated", "x.delegated", ".delegated", "x.md.delegated.bak"])
      writeFileSync(join(inbox, name), "");
    const { hidden, ...tasks } = await readInbox(task.project);
    expect(tasks).toEqual({ waiting: ["x.md"], claimed: [], delegated: ["x.md"] });
    expect(hidden.toSorted()).toEqual([".delegated", ".x.md.delegated"]);
  });
});

describe("a marker that does not say which job it stands for", () => {
  const { job: _job, ...jobless } = MARKER;
  const bad: [what: string, content: string][] = [
    ["is empty", ""],
    ["is no JSON", "delegated"],
    ["is JSON of another kind", "[]"],
    ["has no job", JSON.stringify(jobless)],
    ["has a job that leads elsewhere", JSON.stringify({ ...MARKER, job: "../../etc" })],
    ["has no attempt that counts", JSON.stringify({ ...MARKER, attempt: 0 })],
    ["has an unknown provider", JSON.stringify({ ...MARKER, provider: "somebody" })],
    ["has no time", JSON.stringify({ ...MARKER, submittedAt: "yesterday" })],
    ["was cut short", JSON.stringify(MARKER).slice(0, 40)],
  ];

  test.each(bad)("because it %s is an error that names it, and still marks its task", async (_what, content) => {
    writeFileSync(path, content);
    await expect(readMarker(task)).rejects.toMatchObject({
      ...{ name: "QueueError", code: "MARKER_INVALID", message: expect.stringContaining(path) },
      hint: expect.stringContaining("remove it"),
    });
    expect(await isMarked(task)).toBe(true);
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  test("because it is a link, a folder or a pipe still marks its task", async () => {
    const invalid = { name: "QueueError", code: "MARKER_INVALID" };
    const elsewhere = join(task.project, "marker.json");
    writeFileSync(elsewhere, JSON.stringify(MARKER));
    for (const make of [
      () => symlinkSync("nowhere", path),
      () => symlinkSync(elsewhere, path),
      () => symlinkSync("/dev/zero", path),
      () => mkdirSync(path),
      () => execFileSync("mkfifo", [path]),
    ]) {
      make();
      expect(await isMarked(task)).toBe(true);
      await expect(readMarker(task)).rejects.toMatchObject(invalid);
      rmSync(path, { recursive: true });
    }
  });

  test("because it is larger than any is not read", async () => {
    writeFileSync(path, JSON.stringify(MARKER) + " ".repeat(8 * 1024 * 1024));
    await expect(readMarker(task)).rejects.toMatchObject({ code: "MARKER_INVALID" });
  });
});
