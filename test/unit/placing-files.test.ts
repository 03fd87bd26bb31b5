import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { numbered, placeNew } from "../../src/ledger/place-new.ts";

/** Where there is no other disk to try, the same one has to do. */
const OTHER_DISK = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

function tempDir(parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, "place-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

test.each([
  [1, "/a/x.md"],
  [2, "/a/x-2.md"],
  [10, "/a/x-10.md"],
])("copy %d of x.md is %s", (copy, path) => {
  expect(numbered("/a/x.md", copy)).toBe(path);
});

describe.each([
  ["the same disk", tmpdir()],
  ["another disk, which knows no hard links to here", OTHER_DISK],
])("a file gets a second name on %s", (_where, disk) => {
  test("beside its own", async () => {
    const [here, there] = [tempDir(), tempDir(disk)];
    writeFileSync(join(here, "draft"), "Do it.");
    expect(await placeNew(join(here, "draft"), join(there, "x.md"))).toBe(join(there, "x.md"));
    expect(readFileSync(join(there, "x.md"), "utf8")).toBe("Do it.");
    expect(readFileSync(join(here, "draft"), "utf8")).toBe("Do it.");
  });

  test("in no folder that is made for it", async () => {
    const [here, there] = [tempDir(), tempDir(disk)];
    writeFileSync(join(here, "draft"), "Do it.");
    await expect(placeNew(join(here, "draft"), join(there, "a", "x.md"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(readdirSync(there)).toEqual([]);
  });

  test("that overwrites nothing", async () => {
    const [here, there] = [tempDir(), tempDir(disk)];
    writeFileSync(join(here, "draft"), "Do it.");
    for (const name of ["x.md", "x-2.md"]) writeFileSync(join(there, name), name);
    expect(await placeNew(join(here, "draft"), join(there, "x.md"))).toBe(join(there, "x-3.md"));
    expect(readFileSync(join(there, "x.md"), "utf8")).toBe("x.md");
    expect(readFileSync(join(there, "x-2.md"), "utf8")).toBe("x-2.md");
  });

  test("that is never shared with another who asks at the same time", async () => {
    const [here, there] = [tempDir(), tempDir(disk)];
    const drafts = Array.from({ length: 10 }, (_, index) => join(here, `draft ${index}`));
    for (const draft of drafts) writeFileSync(draft, draft);
    const placed = await Promise.all(drafts.map((draft) => placeNew(draft, join(there, "x.md"))));
    expect(placed.map((path) => readFileSync(path, "utf8"))).toEqual(drafts);
    expect(readdirSync(there)).toHaveLength(drafts.length);
  });
});

test("a name that is the file's own already, from before a crash, is not given twice", async () => {
  const dir = tempDir();
  writeFileSync(join(dir, "draft"), "Do it.");
  writeFileSync(join(dir, "x.md"), "another");
  linkSync(join(dir, "draft"), join(dir, "x-2.md"));
  expect(await placeNew(join(dir, "draft"), join(dir, "x.md"))).toBe(join(dir, "x-2.md"));
  expect(readdirSync(dir).sort()).toEqual(["draft", "x-2.md", "x.md"]);
});

describe("on another disk, which knows no hard links to here", () => {
  test("a link stays a link: what it leads to is not copied", async () => {
    const [here, there] = [tempDir(), tempDir(OTHER_DISK)];
    writeFileSync(join(here, "secret"), "a password");
    symlinkSync(join(here, "secret"), join(here, "draft"));
    writeFileSync(join(there, "x.md"), "another");
    expect(await placeNew(join(here, "draft"), join(there, "x.md"))).toBe(join(there, "x-2.md"));
    expect(readlinkSync(join(there, "x-2.md"))).toBe(join(here, "secret"));
  });

  test("a pipe gets no second name, and nobody waits for it", async () => {
    const [here, there] = [tempDir(), tempDir(OTHER_DISK)];
    execFileSync("mkfifo", [join(here, "draft")]);
    await expect(placeNew(join(here, "draft"), join(there, "x.md"))).rejects.toMatchObject({ code: "EXDEV" });
    expect(readdirSync(there)).toEqual([]);
  });
});

test("a file that is gone gets no name", async () => {
  const dir = tempDir();
  await expect(placeNew(join(dir, "draft"), join(dir, "x.md"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(readdirSync(dir)).toEqual([]);
});
