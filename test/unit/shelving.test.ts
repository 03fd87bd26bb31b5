import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { TaskFile } from "../../src/core/task.ts";
import { unclaim } from "../../src/ledger/claim.ts";
import { type Footer, renderFooter } from "../../src/ledger/footer.ts";
import { claimedPath } from "../../src/ledger/layout.ts";
import { MAX_TASK_BYTES, parseTask } from "../../src/ledger/parse-task.ts";
import { readInbox } from "../../src/ledger/read-inbox.ts";
import { rejectClaimed, rejectTask, shelveClaimed, takeAndShelve } from "../../src/ledger/shelve.ts";

const TEXT = "---\ntitle: a\n---\nDo it.\n";
const finishedAt = new Date("2026-11-21T09:30:00Z");
const DONE: Footer = { result: "done", finishedAt, run: "kabcdefghi-1", text: "It is done." };
const REJECTED: Footer = { result: "rejected", finishedAt, error: { code: "TASK_INVALID", message: "it is empty" } };

let project: string;
let task: TaskFile;

beforeEach(() => {
  project = tempDir(tmpdir());
  task = { project, name: "x.md" };
  mkdirSync(at("inbox"), { recursive: true });
});

function tempDir(parent: string): string {
  const dir = mkdtempSync(join(parent, "shelve-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

const at = (...parts: string[]) => join(project, ".agent-queue", ...parts);
const read = (...parts: string[]) => readFileSync(at(...parts), "utf8");
const waiting = (content: string | Uint8Array) => writeFileSync(at("inbox", "x.md"), content);
const claimed = (content: string | Uint8Array) => writeFileSync(at("inbox", "x.md.dispatched"), content);

const ledgerNames = () =>
  readdirSync(at(), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") || name.includes("/."))
    .sort();

/** Every file below .agent-queue, with its text. */
function ledger(): Record<string, string> {
  const names = readdirSync(at(), { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(names.map((path) => [path.slice(at().length + 1), readFileSync(path, "utf8")]));
}

/** Lets go whoever waits for something to be written into a FIFO. */
function release(fifo: string): void {
  if (existsSync(fifo)) closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
}

describe("a claimed task that is over", () => {
  test.each(["done", "failed"] as const)("moves to %s/ with its text and a footer", async (shelf) => {
    claimed(TEXT);
    expect(await shelveClaimed(task, shelf, DONE)).toBe(at(shelf, "x.md"));
    expect(ledger()).toEqual({ [`${shelf}/x.md`]: TEXT + renderFooter(DONE) });
  });

  test("takes the next free name and overwrites nothing", async () => {
    mkdirSync(at("done"));
    writeFileSync(at("done", "x.md"), "first");
    writeFileSync(at("done", "x-2.md"), "second");
    claimed(TEXT);
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x-3.md"));
    expect(ledger()).toEqual({
      "done/x.md": "first",
      "done/x-2.md": "second",
      "done/x-3.md": TEXT + renderFooter(DONE),
    });
  });

  test("fills a gap between taken names", async () => {
    mkdirSync(at("done"));
    writeFileSync(at("done", "x.md"), "first");
    writeFileSync(at("done", "x-3.md"), "third");
    claimed(TEXT);
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x-2.md"));
  });

  test("takes a folder of its name for a taken name, too", async () => {
    mkdirSync(at("done", "x.md"), { recursive: true });
    claimed(TEXT);
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x-2.md"));
  });

  test.each([
    ["notes.md.md", "notes.md-2.md"],
    ["$&.md", "$&-2.md"],
    ["a b 東京.md", "a b 東京-2.md"],
  ])("%s becomes %s when its name is taken", async (name, second) => {
    mkdirSync(at("done"));
    writeFileSync(at("done", name), "first");
    writeFileSync(at("inbox", `${name}.dispatched`), TEXT);
    expect(await shelveClaimed({ project, name }, "done", DONE)).toBe(at("done", second));
  });

  test("keeps every byte, also of what is not UTF-8", async () => {
    const bytes = Buffer.from(Array.from({ length: 1_024 }, (_, index) => (index * 7) % 256));
    claimed(bytes);
    const shelved = readFileSync(await shelveClaimed(task, "failed", DONE));
    expect(shelved.subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(shelved.subarray(bytes.length).toString()).toBe(renderFooter(DONE));
  });

  test("keeps every byte above an earlier run's footer, which the new one replaces", async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0xc3]);
    claimed(Buffer.concat([bytes, Buffer.from(renderFooter({ ...DONE, run: "earlier-1", text: "東京" }))]));
    const shelved = readFileSync(await shelveClaimed(task, "done", DONE));
    expect(shelved.equals(Buffer.concat([bytes, Buffer.from(renderFooter(DONE))]))).toBe(true);
  });

  test("is shelved by its footer alone when somebody deleted the file meanwhile", async () => {
    expect(await shelveClaimed(task, "failed", DONE)).toBe(at("failed", "x.md"));
    expect(read("failed", "x.md")).toBe(renderFooter(DONE));
  });

  test("leaves a new file of its name in the inbox alone", async () => {
    claimed(TEXT);
    waiting("The next one.");
    await shelveClaimed(task, "done", DONE);
    expect(read("inbox", "x.md")).toBe("The next one.");
  });

  test("does not pass for another run of the same task", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "done", DONE);
    claimed(TEXT);
    expect(await shelveClaimed(task, "done", { ...DONE, run: "kabcdefghi-2" })).toBe(at("done", "x-2.md"));
  });

  test("without a run in its footer is never taken for one that is shelved already", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "failed", REJECTED);
    claimed(TEXT);
    expect(await shelveClaimed(task, "failed", REJECTED)).toBe(at("failed", "x-2.md"));
  });

  test("that is a link into the project is shelved with its text; what it leads to stays", async () => {
    writeFileSync(join(project, "task.md"), TEXT);
    symlinkSync("../../task.md", at("inbox", "x.md.dispatched"));
    await shelveClaimed(task, "done", DONE);
    expect(ledger()).toEqual({ "done/x.md": TEXT + renderFooter(DONE) });
    expect(readFileSync(join(project, "task.md"), "utf8")).toBe(TEXT);
    expect(readdirSync(at("inbox"))).toEqual([]);
  });

  test("whose file became a FIFO is shelved, not waited for", async () => {
    const path = at("inbox", "x.md.dispatched");
    execFileSync("mkfifo", [path]);
    const shelved = shelveClaimed(task, "failed", REJECTED);
    onTestFinished(() => release(path));
    const waited = new Promise((resolve) => setTimeout(resolve, 200, "still waits for the FIFO"));
    expect(await Promise.race([shelved, waited])).toBe(at("failed", "x.md"));
  });

  test("whose file became a link out of the project is shelved without what lies there", async () => {
    const outside = join(tempDir(tmpdir()), "secret");
    writeFileSync(outside, "a password");
    symlinkSync(outside, at("inbox", "x.md.dispatched"));
    const path = await shelveClaimed(task, "failed", REJECTED);
    expect(readFileSync(path, "utf8")).not.toContain("a password");
    expect(readFileSync(outside, "utf8")).toBe("a password");
  });
});

test("a run's end in an inbox that cannot be read says so, and begins nothing", async () => {
  rmSync(at("inbox"), { recursive: true });
  symlinkSync("inbox", at("inbox"));
  const end = takeAndShelve(task, claimedPath(task), "done", { ...DONE, run: "kabcdefghi-1" });
  await expect(end).rejects.toMatchObject({
    code: "INBOX_UNREADABLE",
    message: `the inbox ${at("inbox")} cannot be read: ELOOP: too many symbolic links encountered`,
  });
  expect(readdirSync(at())).toEqual(["inbox"]);
});

describe("a crash while a task is shelved: the next start does it again", () => {
  const shelved = { "done/x.md": TEXT + renderFooter(DONE) };

  test("before anything was written", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "done", DONE);
    expect(ledger()).toEqual(shelved);
  });

  test("after the draft was written: it stays hidden", async () => {
    claimed(TEXT);
    mkdirSync(at("done"));
    writeFileSync(at("done", ".0f1e.draft"), "half");
    await shelveClaimed(task, "done", DONE);
    expect(ledger()).toEqual({ ...shelved, "done/.0f1e.draft": "half" });
  });

  test("after the file appeared, before the claim went", async () => {
    claimed(TEXT);
    mkdirSync(at("done"));
    writeFileSync(at("done", "x.md"), TEXT + renderFooter(DONE));
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x.md"));
    expect(ledger()).toEqual(shelved);
  });

  test("after the file appeared under another name, before the claim went", async () => {
    claimed(TEXT);
    mkdirSync(at("done"));
    writeFileSync(at("done", "x.md"), "first");
    writeFileSync(at("done", "x-2.md"), TEXT + renderFooter(DONE));
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x-2.md"));
    expect(ledger()).toEqual({ "done/x.md": "first", "done/x-2.md": TEXT + renderFooter(DONE) });
  });

  test("after everything", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "done", DONE);
    expect(await shelveClaimed(task, "done", DONE)).toBe(at("done", "x.md"));
    expect(ledger()).toEqual(shelved);
  });

  test("and no draft is left behind by a shelving that went well", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "done", DONE);
    expect(readdirSync(at("done"))).toEqual(["x.md"]);
  });
});

describe("a waiting task that cannot be run", () => {
  test("moves to failed/ with the reason below", async () => {
    waiting(TEXT);
    expect(await rejectTask(task, REJECTED)).toBe(at("failed", "x.md"));
    expect(ledger()).toEqual({ "failed/x.md": TEXT + renderFooter(REJECTED) });
  });

  test("takes the next free name and overwrites nothing", async () => {
    mkdirSync(at("failed"));
    writeFileSync(at("failed", "x.md"), "first");
    writeFileSync(at("failed", "x-2.md"), "second");
    waiting(TEXT);
    expect(await rejectTask(task, REJECTED)).toBe(at("failed", "x-3.md"));
    expect(ledger()).toEqual({
      "failed/x.md": "first",
      "failed/x-2.md": "second",
      "failed/x-3.md": TEXT + renderFooter(REJECTED),
    });
  });

  test("keeps every byte, also of what is not UTF-8", async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a, 0xc3]);
    waiting(bytes);
    const shelved = readFileSync(await rejectTask(task, REJECTED));
    expect(shelved.equals(Buffer.concat([bytes, Buffer.from(renderFooter(REJECTED))]))).toBe(true);
  });

  test("puts the footer below a file that is too large to be copied, holes and all", async () => {
    waiting("");
    truncateSync(at("inbox", "x.md"), 2 ** 40);
    const { ino } = statSync(at("inbox", "x.md"));
    await rejectTask(task, REJECTED);
    expect(statSync(at("failed", "x.md"))).toMatchObject({
      ino,
      nlink: 1,
      size: 2 ** 40 + renderFooter(REJECTED).length,
    });
    expect(ledgerNames()).toEqual(["failed/x.md"]);
  });

  test("changes no other file that a large one shares its text with", async () => {
    const elsewhere = join(tempDir(tmpdir()), "notes.md");
    const large = "x".repeat(2 * MAX_TASK_BYTES + 1);
    writeFileSync(elsewhere, large);
    linkSync(elsewhere, at("inbox", "x.md"));
    await rejectTask(task, REJECTED);
    expect(readFileSync(elsewhere, "utf8") === large).toBe(true);
    expect(read("failed", "x.md") === large + renderFooter(REJECTED)).toBe(true);
  });

  test.each(["x".repeat(252), "東".repeat(84), `${"x".repeat(251)}2`])(
    "shortens a name that no claim can have: %s.md",
    async (base) => {
      const long = { project, name: `${base}.md` };
      for (const round of ["first", "second"]) {
        writeFileSync(at("inbox", long.name), round);
        const path = await rejectTask(long, REJECTED);
        expect(readFileSync(path, "utf8")).toBe(round + renderFooter(REJECTED));
      }
      const short = `${base.slice(0, Math.floor(234 / Buffer.byteLength(base.slice(0, 1))))}…`;
      expect(ledgerNames()).toEqual([`failed/${short}-2.md`, `failed/${short}.md`]);
    },
  );

  test("keeps every byte of a file that is too large to be read", async () => {
    const large = "x".repeat(2 * MAX_TASK_BYTES + 1);
    waiting(large);
    await rejectTask(task, REJECTED);
    expect(read("failed", "x.md") === large + renderFooter(REJECTED)).toBe(true);
  });

  test("moves also where failed/ lies on another disk, which knows no hard links to here", async () => {
    const otherDisk = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    symlinkSync(tempDir(otherDisk), at("failed"));
    writeFileSync(at("failed", "x.md"), "first");
    waiting(TEXT);
    expect(await rejectTask(task, REJECTED)).toBe(at("failed", "x-2.md"));
    expect(read("failed", "x.md")).toBe("first");
    expect(read("failed", "x-2.md")).toBe(TEXT + renderFooter(REJECTED));
    expect(readdirSync(at("inbox"))).toEqual([]);
  });

  test("that is a FIFO is not opened", async () => {
    execFileSync("mkfifo", [at("inbox", "x.md")]);
    await rejectTask(task, REJECTED);
    expect(ledger()).toEqual({ "failed/x.md": renderFooter(REJECTED) });
    expect(readdirSync(at("inbox"))).toEqual([]);
  });

  test("that is a link goes, what it leads to stays", async () => {
    const outside = join(tempDir(tmpdir()), "secret");
    writeFileSync(outside, "a password");
    symlinkSync(outside, at("inbox", "x.md"));
    await rejectTask(task, REJECTED);
    expect(ledger()).toEqual({ "failed/x.md": renderFooter(REJECTED) });
    expect(readFileSync(outside, "utf8")).toBe("a password");
  });

  test("whose name still runs has to wait, and nothing is touched", async () => {
    claimed("The earlier one.");
    waiting(TEXT);
    await expect(rejectTask(task, REJECTED)).rejects.toMatchObject({ code: "EBUSY" });
    expect(ledger()).toEqual({ "inbox/x.md": TEXT, "inbox/x.md.dispatched": "The earlier one." });
  });

  test("that was taken away meanwhile is a missing file to the caller", async () => {
    await expect(rejectTask(task, REJECTED)).rejects.toMatchObject({ code: "ENOENT" });
    expect(ledger()).toEqual({});
  });

  test("whose claim was taken away meanwhile leaves nothing, and is a missing file to the caller", async () => {
    await expect(rejectClaimed(task, REJECTED)).rejects.toMatchObject({ code: "ENOENT" });
    expect(ledger()).toEqual({});
  });

  test("does not swallow a version that the author saves meanwhile", async () => {
    waiting("---\ntitle: [\n---\nDo it.\n");
    const state = { over: false };
    const names = () => readdirSync(at(), { recursive: true, encoding: "utf8" }).sort().join();
    const before = names();
    const rejected = rejectTask(task, REJECTED).finally(() => {
      state.over = true;
    });
    while (!state.over && names() === before) await new Promise((resolve) => setImmediate(resolve));
    waiting(TEXT);
    await rejected;
    expect(Object.values(ledger()).filter((text) => text.startsWith(TEXT))).toHaveLength(1);
  });

  test("does not change the author's own copy, which shares its content by a hard link", async () => {
    const copy = join(project, "template.md");
    writeFileSync(copy, TEXT);
    linkSync(copy, at("inbox", "x.md"));
    await rejectTask(task, REJECTED);
    expect(readFileSync(copy, "utf8")).toBe(TEXT);
  });
});

describe("a crash while a task is rejected loses nothing: the next start gives the claim back and rejects it again", () => {
  const again = async () => {
    await unclaim(task);
    await rejectTask(task, REJECTED);
  };

  test("after the claim", async () => {
    claimed(TEXT);
    await again();
    expect(ledger()).toEqual({ "failed/x.md": TEXT + renderFooter(REJECTED) });
  });

  test("after the draft was written: it stays hidden", async () => {
    claimed(TEXT);
    mkdirSync(at("failed"));
    writeFileSync(at("failed", ".0f1e.draft"), "half");
    await again();
    expect(ledger()).toEqual({ "failed/x.md": TEXT + renderFooter(REJECTED), "failed/.0f1e.draft": "half" });
  });

  test("after the file appeared in failed/, before the claim went: then it is there twice", async () => {
    claimed(TEXT);
    mkdirSync(at("failed"));
    writeFileSync(at("failed", "x.md"), TEXT + renderFooter(REJECTED));
    await again();
    expect(ledger()).toEqual({
      "failed/x.md": TEXT + renderFooter(REJECTED),
      "failed/x-2.md": TEXT + renderFooter(REJECTED),
    });
  });
});

test("a directory named like a task is no reason to fill failed/ with notes about it", async () => {
  mkdirSync(at("inbox", "x.md"));
  for (let look = 0; look < 3; look += 1) {
    for (const name of (await readInbox(project)).waiting)
      await rejectTask({ project, name }, REJECTED).catch(() => {});
  }
  expect(Object.keys(ledger()).length).toBeLessThan(2);
});

describe("a task that is moved back into the inbox runs as it was first written", () => {
  const putBack = (shelf: string) => renameSync(at(shelf, "x.md"), at("inbox", "x.md"));
  /** Who ran it before is no part of what it says. */
  const prompt = (bytes: Uint8Array) => ({ ...parseTask(bytes), earlier: null });

  test.each(["Do it.", "Do it.\n", "---\ntitle: a\n---\nDo it.\n\n", "---\r\ntitle: a\r\n---\r\nDo it.\r\n"])(
    "after a run: %j",
    async (text) => {
      claimed(text);
      await shelveClaimed(task, "done", DONE);
      putBack("done");
      expect(prompt(readFileSync(at("inbox", "x.md")))).toEqual(prompt(Buffer.from(text)));
    },
  );

  test("after any number of runs", async () => {
    waiting(TEXT);
    for (const run of ["a-1", "b-1", "c-1"]) {
      renameSync(at("inbox", "x.md"), at("inbox", "x.md.dispatched"));
      await shelveClaimed(task, "failed", { ...DONE, run });
      putBack("failed");
    }
    expect(prompt(readFileSync(at("inbox", "x.md")))).toEqual(prompt(Buffer.from(TEXT)));
  });

  test("after it was rejected twice and then put right", async () => {
    waiting("---\ntitle: [\n---\nDo it.\n");
    for (const _time of [1, 2]) {
      await rejectTask(task, REJECTED);
      putBack("failed");
    }
    waiting(read("inbox", "x.md").replace("[", "a"));
    expect(prompt(readFileSync(at("inbox", "x.md")))).toEqual(prompt(Buffer.from(TEXT)));
  });

  test("after it was rejected twice for its size and then shortened", async () => {
    const long = "x".repeat(MAX_TASK_BYTES);
    waiting(`${TEXT}${long}\n`);
    for (const _time of [1, 2]) {
      await rejectTask(task, REJECTED);
      putBack("failed");
    }
    waiting(read("inbox", "x.md").replace(`${long}\n`, ""));
    expect(prompt(readFileSync(at("inbox", "x.md")))).toEqual(prompt(Buffer.from(TEXT)));
  });

  test("and nothing is left of it in done/", async () => {
    claimed(TEXT);
    await shelveClaimed(task, "done", DONE);
    putBack("done");
    unlinkSync(at("inbox", "x.md"));
    expect(ledger()).toEqual({});
  });
});
