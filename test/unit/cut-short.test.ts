import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { cancellationId } from "../../src/core/id.ts";
import { CutShort } from "../../src/ledger/cut-short.ts";
import { renderFooter } from "../../src/ledger/footer.ts";
import { endingPath, inboxDir, shelfDir } from "../../src/ledger/layout.ts";
import { readInbox } from "../../src/ledger/read-inbox.ts";

const RUN = "kabcdefghi-1";
const DRAFT = ".0b0ffbc5-0a6a-4fd0-9b0b-2b3e8c1f6f3a.draft";
let project: string;
let cutShort: CutShort;
const inbox = (name = "") => join(inboxDir(project), name);
const shelf = (of: "done" | "failed", name = "") => join(shelfDir(project, of), name);
const finished = (run: string) => `Do it.${renderFooter({ result: "done", finishedAt: new Date(), run })}`;
const endLeft = async () => await cutShort.end((await readInbox(project)).hidden);
const later = () => vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "cut-short-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  for (const dir of [inbox(), shelf("done"), shelf("failed")]) mkdirSync(dir, { recursive: true });
  cutShort = new CutShort(project);
});

test("what an end left beside its result goes, under whatever name the result is", async () => {
  writeFileSync(inbox(`.${RUN}.taken`), "Do it.");
  writeFileSync(shelf("done", "x-2.md"), finished(RUN));
  writeFileSync(shelf("done", `.${RUN}.draft`), "");
  await endLeft();
  expect(readdirSync(inbox())).toEqual([`.${RUN}.taken`]);
  later();
  await endLeft();
  expect(readdirSync(inbox())).toEqual([]);
  expect(readdirSync(shelf("done"))).toEqual(["x-2.md"]);
});

test("the end of a run that has no result yet is left to its run", async () => {
  writeFileSync(inbox(`.${RUN}.taken`), "Do it.");
  writeFileSync(shelf("done", "x.md"), finished("kabcdefghi-2"));
  // Whole already, but not in its place.
  writeFileSync(shelf("done", `.${RUN}.draft`), finished(RUN));
  later();
  await endLeft();
  expect(readdirSync(inbox())).toEqual([`.${RUN}.taken`]);
});

test.each([null, { id: "kabcdefghi", runs: 1 }])(
  "a cancellation of %j comes to its end: its text is not lost",
  async (earlier) => {
    const run = cancellationId(earlier);
    writeFileSync(inbox(`.${run}.taken`), "Do it.");
    later();
    await endLeft();
    expect(readdirSync(inbox())).toEqual([]);
    const text = readFileSync(shelf("failed", `${run}.md`), "utf8");
    expect(text).toMatch(/^Do it\.\n/);
    expect(text).toContain("TASK_CANCELLED");
    await endLeft();
    expect(readdirSync(shelf("failed"))).toEqual([`${run}.md`]);
  },
);

test.each(["x.md", "x.md.dispatched"])(
  "a cancelled task that was put back in time is not ended twice: %s",
  async (name) => {
    const run = cancellationId(null);
    writeFileSync(inbox(`.${run}.taken`), "Do it.");
    writeFileSync(inbox(name), finished(run));
    later();
    await endLeft();
    expect(readdirSync(inbox())).toEqual([name]);
    expect(readdirSync(shelf("failed"))).toEqual([]);
  },
);

test("a draft of an end that did not come goes, once nobody can be at it any more", async () => {
  writeFileSync(shelf("failed", `.${RUN}.draft`), "Do it.");
  writeFileSync(shelf("failed", "x.md"), "Do it.");
  await endLeft();
  expect(readdirSync(shelf("failed"))).toEqual([`.${RUN}.draft`, "x.md"]);
  later();
  await endLeft();
  expect(readdirSync(shelf("failed"))).toEqual(["x.md"]);
});

test("so does the draft of a marker or of an added task; what an author hides in the inbox stays", async () => {
  for (const name of [DRAFT, ".mine.draft", ".x.md"]) writeFileSync(inbox(name), "Do it.");
  await endLeft();
  expect(readdirSync(inbox())).toHaveLength(3);
  later();
  await endLeft();
  expect(readdirSync(inbox()).toSorted()).toEqual([".mine.draft", ".x.md"]);
});

test.each([
  ["a result's draft", () => shelf("done", `.${RUN}.draft`)],
  ["a marker's draft", () => inbox(DRAFT)],
  ["a file that an end has taken", () => inbox(`.${RUN}.taken`)],
  ["the right to end a delegated task", () => endingPath({ project, name: "x.md" })],
])("%s is told of for as long as somebody may be at it", async (_, path) => {
  writeFileSync(path(), "");
  expect(await endLeft()).toBe(true);
  later();
  expect(await endLeft()).toBe(false);
});

test("a draft that comes to a shelf in which there was none for long is found all the same", async () => {
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(shelf("done"), longAgo, longAgo);
  expect(await endLeft()).toBe(false);
  writeFileSync(shelf("done", `.${RUN}.draft`), "");
  expect(await endLeft()).toBe(true);
  later();
  expect(await endLeft()).toBe(false);
  expect(readdirSync(shelf("done"))).toEqual([]);
});

test("a draft that comes in the very moment of a look is found by the next", async () => {
  expect(await endLeft()).toBe(false);
  const { mtime } = statSync(shelf("done"));
  writeFileSync(shelf("done", `.${RUN}.draft`), "");
  utimesSync(shelf("done"), mtime, mtime);
  expect(await endLeft()).toBe(true);
});

test("what a takeover has hidden is brought back", async () => {
  writeFileSync(inbox(".x.md.given-back"), "Do it.");
  expect(await endLeft()).toBe(false);
  expect(readdirSync(inbox())).toEqual(["x.md"]);
});

test("a project without an inbox has nothing to end", async () => {
  rmSync(project, { recursive: true });
  mkdirSync(project);
  await expect(endLeft()).resolves.toBe(false);
});
