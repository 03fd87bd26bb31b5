import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { TaskFile } from "../../src/core/task.ts";
import { claimedPath, taskPath } from "../../src/ledger/layout.ts";
import type { ParsedTask } from "../../src/ledger/parse-task.ts";
import { readClaimed, readTask } from "../../src/ledger/read-task.ts";

let root: string;
let task: TaskFile;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "read-")));
  onTestFinished(() => rmSync(root, { recursive: true }));
  task = { project: join(root, "project"), name: "x.md" };
  mkdirSync(join(task.project, ".agent-queue", "inbox"), { recursive: true });
});

const inProject = (name: string) => join(task.project, name);

/** The two moments at which a task is read: when it is handed in, and when it is claimed for a run. */
const MOMENTS: { moment: string; path: () => string; read: () => Promise<ParsedTask> }[] = [
  { moment: "waiting", path: () => taskPath(task), read: async () => await readTask(task) },
  { moment: "claimed", path: () => claimedPath(task), read: async () => await readClaimed(task) },
];

describe.each(MOMENTS)("a $moment task", ({ path, read }) => {
  test("that is a file is read", async () => {
    writeFileSync(path(), "---\ntitle: a\n---\nDo it.");
    expect(await read()).toMatchObject({ ok: true, prompt: "Do it.", header: { title: "a" } });
  });

  test("whose content cannot be run says why", async () => {
    writeFileSync(path(), "");
    expect(await read()).toMatchObject({ ok: false, reason: expect.stringContaining("nothing to do") });
  });

  test("that is as large as a task may be is read", async () => {
    writeFileSync(path(), "x".repeat(1_048_576));
    expect(await read()).toMatchObject({ ok: true });
  });

  test("that is too large is not even read", async () => {
    writeFileSync(path(), "");
    truncateSync(path(), 2 ** 40);
    expect(await read()).toEqual({ ok: false, reason: "the file is larger than 1 MiB (1099511627776 bytes)" });
  });

  test.each([
    ["beside the project's files", () => inProject("task.md"), () => inProject("task.md")],
    ["by a relative path", () => inProject("task.md"), () => "../../task.md"],
    ["in a folder of the project", () => inProject(".agent-queue/task.md"), () => "../task.md"],
  ])("that is a link to a file of the project is read: %s", async (_where, target, link) => {
    writeFileSync(target(), "Do it.");
    symlinkSync(link(), path());
    expect(await read()).toMatchObject({ ok: true, prompt: "Do it." });
  });

  test.each([
    ["a file elsewhere", () => join(root, "secret")],
    ["a file elsewhere, by a relative path", () => "../../../secret"],
    ["a neighbour whose name only begins like the project's", () => join(root, "project-2", "secret")],
    ["a file elsewhere, through a link in the project", () => join(task.project, "out", "secret")],
  ])("that is a link to %s is refused", async (_where, link) => {
    mkdirSync(join(root, "project-2"));
    writeFileSync(join(root, "project-2", "secret"), "a password");
    writeFileSync(join(root, "secret"), "a password");
    symlinkSync(root, join(task.project, "out"));
    symlinkSync(link(), path());
    expect(await read()).toEqual({ ok: false, reason: "it is a link that leaves the project" });
  });

  test("in a project that is itself reached through a link may link into it", async () => {
    writeFileSync(inProject("task.md"), "Do it.");
    symlinkSync("../../task.md", path());
    symlinkSync(task.project, join(root, "alias"));
    task = { ...task, project: join(root, "alias") };
    expect(await read()).toMatchObject({ ok: true, prompt: "Do it." });
  });

  test.each(["nowhere.md", "x.md", "x.md.dispatched"])(
    "that is a link to nothing, or to itself, is refused: %s",
    async (link) => {
      symlinkSync(link, path());
      expect(await read()).toEqual({ ok: false, reason: "it is a link to nothing" });
    },
  );

  test("that is a link to a folder is refused", async () => {
    symlinkSync("..", path());
    expect(await read()).toEqual({ ok: false, reason: "it is a link to something that is not a regular file" });
  });

  test("that is a link to a file that is too large is refused", async () => {
    writeFileSync(inProject("large"), "");
    truncateSync(inProject("large"), 1_048_577);
    symlinkSync(inProject("large"), path());
    expect(await read()).toEqual({ ok: false, reason: "the file is larger than 1 MiB (1048577 bytes)" });
  });

  test("that is a FIFO is refused, and never opened", async () => {
    execFileSync("mkfifo", [path()]);
    expect(await read()).toEqual({ ok: false, reason: "it is not a regular file" });
  });

  test("that is a link to a FIFO is refused, and never opened", async () => {
    execFileSync("mkfifo", [inProject("pipe")]);
    symlinkSync(inProject("pipe"), path());
    expect(await read()).toEqual({ ok: false, reason: "it is a link to something that is not a regular file" });
  });

  test("that is a folder is refused", async () => {
    mkdirSync(path());
    expect(await read()).toEqual({ ok: false, reason: "it is not a regular file" });
  });

  test("that is gone is a missing file", async () => {
    await expect(read()).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test.each([
  ["x", 237, true],
  ["x", 238, false],
  ["ü", 118, true],
  ["ü", 119, false],
])(
  "a waiting task whose name is %s %d times and .md leaves room for the marks of a run: %s",
  async (letter, count, ok) => {
    task = { ...task, name: `${letter.repeat(count)}.md` };
    writeFileSync(taskPath(task), "Do it.");
    expect(await readTask(task)).toMatchObject(ok ? { ok } : { ok, reason: "its name is longer than 240 bytes" });
  },
);
