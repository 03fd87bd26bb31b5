import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { claimedPath, claimedTaskName, inboxDir, isTaskName, shelfDir, taskPath } from "../../src/ledger/layout.ts";
import { readInbox } from "../../src/ledger/read-inbox.ts";

const task = { project: "/srv/site", name: "x.md" };

test.each([
  [inboxDir(task.project), "/srv/site/.agent-queue/inbox"],
  [taskPath(task), "/srv/site/.agent-queue/inbox/x.md"],
  [claimedPath(task), "/srv/site/.agent-queue/inbox/x.md.dispatched"],
  [shelfDir(task.project, "done"), "/srv/site/.agent-queue/done"],
  [shelfDir(task.project, "failed"), "/srv/site/.agent-queue/failed"],
])("the ledger's paths are the contract's: %s", (path, expected) => {
  expect(path).toBe(expected);
});

describe("a name in an inbox", () => {
  test.each(["x.md", "a b.md", "東京.md", "x.md.md", "x~.md", "-.md", "2026-11-21 fix #7.md"])(
    "%s is a task's",
    (name) => {
      expect(isTaskName(name)).toBe(true);
      expect(claimedTaskName(name)).toBeNull();
    },
  );

  test.each([
    "x.md.tmp",
    "x.tmp",
    ".x.md",
    ".md",
    ".x.md.swp",
    "x.md~",
    "x.md.swp",
    "#x.md#",
    ".#x.md",
    "x.txt",
    "x.MD",
    "md",
    "",
    "4913",
    "x.md.delegated",
    "x.md.part",
    "x.md ",
  ])("%j is nobody's", (name) => {
    expect(isTaskName(name)).toBe(false);
    expect(claimedTaskName(name)).toBeNull();
  });

  test.each([
    ["x.md.dispatched", "x.md"],
    ["x.md.md.dispatched", "x.md.md"],
    ["x.md.dispatched.md.dispatched", "x.md.dispatched.md"],
  ])("%s is the claim of %s", (name, expected) => {
    expect(claimedTaskName(name)).toBe(expected);
    expect(isTaskName(name)).toBe(false);
  });

  test.each([
    ".dispatched",
    "x.dispatched",
    "x.txt.dispatched",
    ".x.md.dispatched",
    ".md.dispatched",
    "x.md.dispatched~",
  ])("%s is no claim", (name) => {
    expect(claimedTaskName(name)).toBeNull();
  });
});

describe("the list of an inbox", () => {
  let project: string;

  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), "inbox-"));
    onTestFinished(() => rmSync(project, { recursive: true }));
  });

  const NOTHING = { waiting: [], claimed: [], delegated: [], hidden: [] };

  test("holds the waiting tasks, the claimed and the delegated ones, what is hidden, and nothing else", async () => {
    mkdirSync(inboxDir(project), { recursive: true });
    const names = ["a.md", "b.md", "b.md.dispatched", "c.md.dispatched", ".c.md", "d.md~", "e.tmp", "f.md.delegated"];
    for (const name of names) writeFileSync(join(inboxDir(project), name), "");
    const { waiting, claimed, delegated, hidden } = await readInbox(project);
    expect({ waiting: waiting.toSorted(), claimed: claimed.toSorted(), delegated, hidden }).toEqual({
      waiting: ["a.md", "b.md"],
      claimed: ["b.md", "c.md"],
      delegated: ["f.md"],
      hidden: [".c.md"],
    });
  });

  test("is empty where there is no inbox", async () => {
    expect(await readInbox(project)).toEqual(NOTHING);
    expect(await readInbox(join(project, "not there"))).toEqual(NOTHING);
  });

  test("is empty where a file stands in its way", async () => {
    writeFileSync(dirname(inboxDir(project)), "");
    expect(await readInbox(project)).toEqual(NOTHING);
  });

  test("is not taken for empty when it cannot be read: that would cancel every task", async () => {
    mkdirSync(dirname(inboxDir(project)));
    symlinkSync("inbox", inboxDir(project));
    await expect(readInbox(project)).rejects.toMatchObject({ code: "ELOOP" });
  });
});
