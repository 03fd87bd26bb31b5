import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { findTask } from "../../src/control/find-task.ts";
import type { ProjectSet } from "../../src/producers/projects.ts";
import { TaskQueues } from "../../src/queue/task-queues.ts";

let dir: string;
let projects: ProjectSet;
let queues: TaskQueues;

beforeEach(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "find-task-")));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  projects = { projectsDir: join(dir, "projects"), listed: [] };
  mkdirSync(join(dir, "projects"));
  // A connection that is closed: whoever looks into the queue is told so.
  const address = { socket: join(dir, "nobody.sock") };
  queues = new TaskQueues({ address, workspace: "w", retentionMs: 1, onError: () => {} });
  await queues.stop();
});

const inbox = (project: string) => join(dir, "projects", project, ".agent-queue", "inbox");

/** Puts a file into a project's inbox; returns its path. */
function put(project: string, name: string): string {
  mkdirSync(inbox(project), { recursive: true });
  writeFileSync(join(inbox(project), name), "Do it.\n");
  return join(inbox(project), name);
}

/** The task that a text means, as project/name, or the code of the error. */
async function means(text: string): Promise<string> {
  try {
    const { task, id } = await findTask(text, projects, queues);
    expect(id).toBeNull();
    return `${basename(task.project)}/${task.name}`;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("a task goes by", () => {
  test("its file's name, that with its project, or the whole path", async () => {
    const path = put("site", "fix.md");
    for (const text of ["fix.md", "site/fix.md", path]) expect(await means(text)).toBe("site/fix.md");
  });

  test.each([
    ["runs", "fix.md.dispatched"],
    ["is with secutools", "fix.md.delegated"],
  ])("the same while it %s, and by the name that its file has then", async (_what, name) => {
    const path = put("site", name);
    if (name.endsWith(".delegated")) put("site", "fix.md");
    for (const text of ["fix.md", "site/fix.md", join(inbox("site"), "fix.md"), path, name, `site/${name}`])
      expect(await means(text)).toBe("site/fix.md");
  });

  test.each([
    "a b.md",
    "quo'te\"s.md",
    "new\nline.md",
    "ü 東京 🎏.md",
    "-x.md",
    "50%.md",
    "%2e%2e.md",
    "$(id).md",
    "a..md",
  ])("the name %j as it stands", async (name) => {
    put("site", name);
    put("site", "other.md");
    expect(await means(name)).toBe(`site/${name}`);
    expect(await means(`site/${name}`)).toBe(`site/${name}`);
  });

  test("its path by another way to the same folder", async () => {
    put("site", "fix.md");
    symlinkSync(join(dir, "projects"), join(dir, "link"));
    expect(await means(join(dir, "link", "site", ".agent-queue", "inbox", "fix.md"))).toBe("site/fix.md");
    projects = { projectsDir: join(dir, "link"), listed: [] };
    expect(await means(join(inbox("site"), "fix.md"))).toBe("site/fix.md");
  });

  test("its name in a project that is listed", async () => {
    put("site", "fix.md");
    projects = { projectsDir: null, listed: [join(dir, "projects", "site")] };
    expect(await means("site/fix.md")).toBe("site/fix.md");
  });

  test("its name where it is a link", async () => {
    put("site", "other.md");
    symlinkSync("other.md", join(inbox("site"), "fix.md"));
    expect(await means("fix.md")).toBe("site/fix.md");
  });
});

describe("no task goes by", () => {
  test.each([
    "missing.md",
    "site/missing.md",
    "shop/fix.md",
    "/fix.md",
    "./fix.md",
    "../fix.md",
    "../../fix.md",
    "../../../../etc/fix.md",
    "%2e%2e/fix.md",
    "..%2ffix.md",
    "site/../site/fix.md",
    "site//fix.md",
    "SITE/fix.md",
    "FIX.md",
    " fix.md",
    "fix.md\0.md",
    "site/.agent-queue/inbox/fix.md",
    `${"x".repeat(10_000)}.md`,
    ".md",
    "inbox/fix.md",
  ])("%j", async (text) => {
    put("site", "fix.md");
    writeFileSync(join(dir, "fix.md"), "outside");
    writeFileSync(join(dir, "projects", "fix.md"), "outside");
    writeFileSync(join(dir, "projects", "site", "fix.md"), "outside");
    expect(await means(text)).toBe("TASK_UNKNOWN");
  });

  test("a path in a folder that is nobody's inbox", async () => {
    put("site", "fix.md");
    for (const folder of ["done", "failed", "inbox/deeper"]) {
      const path = join(dir, "projects", "site", ".agent-queue", folder);
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "over.md"), "over");
      expect(await means(join(path, "over.md"))).toBe("TASK_UNKNOWN");
    }
    expect(await means("over.md")).toBe("TASK_UNKNOWN");
  });

  test.each([
    ["a directory", "fix.md", "directory"],
    ["a hidden file, which somebody writes still", ".fix.md", "file"],
    ["a file that is no markdown", "fix.txt.dispatched", "file"],
  ])("the name of %s", async (_what, name, kind) => {
    mkdirSync(inbox("site"), { recursive: true });
    if (kind === "directory") mkdirSync(join(inbox("site"), name));
    else put("site", name);
    expect(await means(join(inbox("site"), name))).not.toMatch(/^site/);
    if (name.endsWith(".md")) {
      expect(await means(name)).toBe("TASK_UNKNOWN");
      expect(await means(`site/${name}`)).toBe("TASK_UNKNOWN");
    }
    expect(readdirSync(inbox("site"))).toEqual([name]);
  });

  test("nothing", async () => {
    put("site", "fix.md");
    expect(await means("")).toBe("TASK_UNKNOWN");
  });

  test("a name in a project without an inbox, or in none", async () => {
    mkdirSync(join(dir, "projects", "empty"));
    expect(await means("fix.md")).toBe("TASK_UNKNOWN");
    projects = { projectsDir: null, listed: [join(dir, "gone")] };
    expect(await means("fix.md")).toBe("TASK_UNKNOWN");
  });
});

describe("several tasks of one name", () => {
  test("are told apart by the project or the path, and each is named", async () => {
    const path = put("site", "fix.md");
    put("shop", "fix.md.dispatched");
    put("shed", "other.md");
    await expect(findTask("fix.md", projects, queues)).rejects.toMatchObject({
      code: "TASK_AMBIGUOUS",
      message: expect.stringMatching(/^fix\.md may mean (shop\/fix\.md, site\/fix\.md|site\/fix\.md, shop\/fix\.md)$/),
    });
    expect(await means("site/fix.md")).toBe("site/fix.md");
    expect(await means("shop/fix.md")).toBe("shop/fix.md");
    expect(await means(path)).toBe("site/fix.md");
  });

  test("in two projects of one name are named by their paths, and found by them", async () => {
    const here = put("site", "fix.md");
    const elsewhere = join(dir, "elsewhere", "site");
    mkdirSync(join(elsewhere, ".agent-queue", "inbox"), { recursive: true });
    const there = join(elsewhere, ".agent-queue", "inbox", "fix.md");
    writeFileSync(there, "Do it.\n");
    projects = { ...projects, listed: [elsewhere] };
    for (const text of ["fix.md", "site/fix.md"]) {
      const found = findTask(text, projects, queues);
      await expect(found).rejects.toMatchObject({ code: "TASK_AMBIGUOUS" });
      await expect(found).rejects.toThrow(here);
      await expect(found).rejects.toThrow(there);
    }
    expect((await findTask(there, projects, queues)).task.project).toBe(elsewhere);
    expect((await findTask(here, projects, queues)).task.project).toBe(join(dir, "projects", "site"));
  });

  test("a file that waits and one that runs are one task", async () => {
    put("site", "fix.md");
    put("site", "fix.md.dispatched");
    expect(await means("fix.md")).toBe("site/fix.md");
  });
});

test.each(["kabcdefghi", "k", "fix"])("%s, which may begin a job's id, is looked for among the jobs", async (text) => {
  await expect(findTask(text, projects, queues)).rejects.toThrow("Connection is closed");
});

test.each(["fix.MD", "../..", "K", "k*", "[a-z]", "?", "{", "inbox:1"])(
  "%s, which begins none, is not",
  async (text) => {
    expect(await means(text)).toBe("TASK_UNKNOWN");
  },
);
