import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readDraft } from "../../src/cli/add-text.ts";
import { UsageError } from "../../src/cli/exit.ts";
import { projectAround, projectNamed } from "../../src/cli/project.ts";

let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "ccl-add-")));
});
afterEach(async () => await rm(dir, { recursive: true }));

describe("the project that one stands in", () => {
  const around = async (directory: string, dedicated: readonly string[] = []) =>
    await projectAround(join(dir, directory), {
      projectsDir: join(dir, "projects"),
      dedicated: dedicated.map((project) => ({ project: join(dir, project), session: null })),
    });

  test.each([
    ["projects/site", "projects/site"],
    ["projects/site/src/deep", "projects/site"],
    ["projects", null],
    ["projects/.hidden/x", null],
    ["projectsother/site", null],
    ["elsewhere", null],
    [".", null],
  ])("%s: %s", async (directory, project) => {
    await mkdir(join(dir, directory), { recursive: true });
    await mkdir(join(dir, "projects"), { recursive: true });
    expect(await around(directory)).toBe(project === null ? null : join(dir, project));
  });

  test("may be a dedicated one, and is the innermost of several", async () => {
    await mkdir(join(dir, "projects/site/plugin/src"), { recursive: true });
    expect(await around("projects/site/plugin/src", ["projects/site/plugin"])).toBe(join(dir, "projects/site/plugin"));
    expect(await around("projects/site/src", ["projects/site/plugin"])).toBe(join(dir, "projects/site"));
    expect(await around("mine", ["mine"])).toBe(join(dir, "mine"));
    expect(await around("mineral", ["mine"])).toBeNull();
  });

  test("is found through links", async () => {
    await mkdir(join(dir, "disk/site/src"), { recursive: true });
    await symlink(join(dir, "disk"), join(dir, "projects"));
    expect(await around("disk/site/src")).toBe(join(dir, "projects/site"));
    expect(await around("projects/site/src")).toBe(join(dir, "projects/site"));
  });
});

test("a project is a name, or a path from where one stands", () => {
  expect([undefined, "site", "a.b", ".", "./x", "../x", "/p/site"].map(projectNamed)).toEqual([
    ...[undefined, "site", "a.b", process.cwd(), join(process.cwd(), "x"), join(process.cwd(), "../x"), "/p/site"],
  ]);
});

describe("what is to be done", () => {
  test("is in the words themselves", async () => {
    expect(await readDraft(["Fix", "the", "README.md"])).toEqual({ text: "Fix the README.md", fileName: null });
    expect(await readDraft(["Fix the test."])).toEqual({ text: "Fix the test.", fileName: null });
    expect(await readDraft(["Fix ./x.md"])).toEqual({ text: "Fix ./x.md", fileName: null });
  });

  test("is in a file, which gives its name if that is a task's", async () => {
    for (const name of ["fix.md", ".hidden.md", "plain"]) await writeFile(join(dir, name), "Dö it.\n");
    expect(await readDraft([join(dir, "fix.md")])).toEqual({ text: "Dö it.\n", fileName: "fix.md" });
    for (const name of [".hidden.md", "plain"])
      expect(await readDraft([join(dir, name)])).toEqual({ text: "Dö it.\n", fileName: null });
  });

  test.each(["missing.md", "./missing", "/nowhere/x", "../nowhere/x"])(
    "is not the name of a file that is not there: %s",
    async (word) => {
      await expect(readDraft([word])).rejects.toThrow(UsageError);
    },
  );

  test("is no more than 1 MiB of text", async () => {
    await writeFile(join(dir, "large.md"), "x".repeat(1024 * 1024 + 1));
    await writeFile(join(dir, "binary.md"), Buffer.from([0xff, 0xfe]));
    await expect(readDraft([join(dir, "large.md")])).rejects.toMatchObject({
      code: "TASK_INVALID",
      message: expect.stringMatching(/1 MiB/),
    });
    await expect(readDraft([join(dir, "binary.md")])).rejects.toMatchObject({
      code: "TASK_INVALID",
      message: expect.stringMatching(/UTF-8/),
    });
  });
});
