import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { isOnTheWay, listProjects, projectOfInbox } from "../../src/producers/projects.ts";

const SET = { projectsDir: "/srv/projects", listed: ["/home/op/site", "/srv/projects/.hidden", "/srv/projects/blog"] };
const ONLY_LISTED = { projectsDir: null, listed: ["/home/op/site"] };

describe("of all paths the watcher looks only at those on the way to an inbox", () => {
  test.each([
    "/srv/projects",
    "/srv/projects/site",
    "/srv/projects/site/.agent-queue",
    "/srv/projects/site/.agent-queue/inbox",
    "/home/op/site",
    "/home/op/site/.agent-queue",
    "/home/op/site/.agent-queue/inbox",
    "/srv/projects/.hidden",
    "/srv/projects/.hidden/.agent-queue/inbox",
  ])("%s is", (path) => {
    expect(isOnTheWay(path, SET)).toBe(true);
  });

  test.each([
    "/",
    "/srv",
    "/srv/projects2",
    "/srv/projects/.git",
    "/srv/projects/.git/.agent-queue",
    "/srv/projects/.agent-queue",
    "/srv/projects/.agent-queue/inbox",
    "/srv/projects/site/src",
    "/srv/projects/site/inbox",
    "/srv/projects/site/node_modules/.agent-queue",
    "/srv/projects/site/.agent-queue/done",
    "/srv/projects/site/.agent-queue/failed",
    "/srv/projects/site/.agent-queue/inbox/x.md",
    "/srv/projects/site/.agent-queue/inbox/inbox",
    "/srv/projects/site/.agent-queue/inbox/.agent-queue",
    "/home/op",
    "/home/op/other",
    "/home/op/other/.agent-queue/inbox",
    "/home/op/site/src",
  ])("%s is not", (path) => {
    expect(isOnTheWay(path, SET)).toBe(false);
  });

  test.each(["/srv/projects", "/srv/projects/site", "null", "."])("%s is not where no folder is watched", (path) => {
    expect(isOnTheWay(path, ONLY_LISTED)).toBe(false);
  });
});

describe("the project of an inbox", () => {
  test.each([
    ["/srv/projects/site/.agent-queue/inbox", "/srv/projects/site"],
    ["/home/op/site/.agent-queue/inbox", "/home/op/site"],
    ["/srv/projects/.hidden/.agent-queue/inbox", "/srv/projects/.hidden"],
  ])("%s is %s", (path, project) => {
    expect(projectOfInbox(path, SET)).toBe(project);
  });

  test.each([
    "/srv/projects/site/.agent-queue",
    "/srv/projects/site/.agent-queue/done",
    "/srv/projects/site/agent-queue/inbox",
    "/srv/projects/site/deeper/.agent-queue/inbox",
    "/srv/projects/.git/.agent-queue/inbox",
    "/srv/projects/.agent-queue/inbox",
    "/home/op/other/.agent-queue/inbox",
    "inbox",
    "/",
  ])("%s is none's", (path) => {
    expect(projectOfInbox(path, SET)).toBeNull();
  });
});

describe("the projects", () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "projects-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    for (const name of ["site", "blog", ".git"]) mkdirSync(join(dir, name));
    writeFileSync(join(dir, "README.md"), "");
    symlinkSync("site", join(dir, "alias"));
  });

  const list = async (projectsDir: string | null, listed: string[]) =>
    (await listProjects({ projectsDir, listed })).sort();

  test("are the folders in the projects folder, links among them, but nothing hidden and no file", async () => {
    expect(await list(dir, [])).toEqual([join(dir, "alias"), join(dir, "blog"), join(dir, "site")]);
  });

  test("are those listed, wherever they are and whatever they are called", async () => {
    expect(await list(null, ["/home/op/site", "/home/op/.hidden"])).toEqual(["/home/op/.hidden", "/home/op/site"]);
  });

  test("are each told once, also when one is both", async () => {
    expect(await list(dir, [join(dir, "site"), "/elsewhere"])).toEqual(
      ["/elsewhere", join(dir, "alias"), join(dir, "blog"), join(dir, "site")].sort(),
    );
  });

  test("are those listed when the projects folder is not there yet", async () => {
    expect(await list(join(dir, "not there"), ["/home/op/site"])).toEqual(["/home/op/site"]);
  });

  test("are a list of its own: to change it changes no configuration", async () => {
    const listed = ["/home/op/site"];
    const found = await listProjects({ projectsDir: null, listed });
    found.push("/another");
    expect(listed).toEqual(["/home/op/site"]);
  });
});
