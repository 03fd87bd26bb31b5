import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { giveBack, restoreGivenBack } from "../../src/ledger/claim.ts";
import { claimedPath, inboxDir, taskPath } from "../../src/ledger/layout.ts";

const RUN = "abcdefghjk-1";

let project: string;
const task = () => ({ project, name: "x.md" });
const inInbox = (name: string) => join(inboxDir(project), name);
const hidden = () => inInbox(".x.md.given-back");
const names = async () => (await readdir(inboxDir(project))).sort();

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "ccl-queue-giving-"));
  await mkdir(inboxDir(project), { recursive: true });
});
afterEach(async () => {
  await rm(project, { recursive: true, force: true });
});

describe("a claim of a host that is gone", () => {
  test("is given back whole, as the same file", async () => {
    await writeFile(claimedPath(task()), "text\n");
    const { ino, mtimeMs } = await stat(claimedPath(task()));
    expect(await giveBack(task(), RUN)).toBe("given");
    expect(await names()).toEqual(["x.md"]);
    expect(await readFile(taskPath(task()), "utf8")).toBe("text\n");
    expect(await stat(taskPath(task()))).toMatchObject({ ino, mtimeMs, nlink: 1 });
  });

  test("gets another name where a new file has its own, and neither is lost", async () => {
    await writeFile(claimedPath(task()), "first\n");
    await writeFile(taskPath(task()), "second\n");
    expect(await giveBack(task(), RUN)).toBe("given");
    expect(await names()).toEqual(["x-2.md", "x.md"]);
    expect(await readFile(inInbox("x.md"), "utf8")).toBe("second\n");
    expect(await readFile(inInbox("x-2.md"), "utf8")).toBe("first\n");
  });

  test("that is no more is told, and nothing happens to what waits", async () => {
    await writeFile(taskPath(task()), "another\n");
    expect(await giveBack(task(), RUN)).toBe("none");
    expect(await names()).toEqual(["x.md"]);
  });

  test("is given back once by many at the same moment", async () => {
    await writeFile(claimedPath(task()), "text\n");
    const results = await Promise.all(Array.from({ length: 20 }, async () => await giveBack(task(), RUN)));
    expect(results).toContain("given");
    expect(await names()).toEqual(["x.md"]);
  });

  test("is none where the inbox cannot be seen, and none is made", async () => {
    await rm(join(project, ".agent-queue"), { recursive: true });
    expect(await giveBack(task(), RUN)).toBe("none");
    expect(await readdir(project)).toEqual([]);
  });

  test("is left alone while the end of its run has the file, and only then", async () => {
    const taken = inInbox(`.${RUN}.taken`);
    await writeFile(taken, "text\n");
    expect(await giveBack(task(), RUN)).toBe("ending");
    expect(await names()).toEqual([`.${RUN}.taken`]);
    expect(await giveBack(task(), "abcdefghjk-2")).toBe("none");
    expect(await names()).toEqual([`.${RUN}.taken`]);
  });
});

describe("what a crash left hidden", () => {
  const restore = async () => await restoreGivenBack(project, await names());

  test("is restored", async () => {
    await writeFile(hidden(), "text\n");
    await restore();
    expect(await names()).toEqual(["x.md"]);
  });

  test("is taken away where the file has its name again", async () => {
    await writeFile(hidden(), "text\n");
    await link(hidden(), taskPath(task()));
    await restore();
    expect(await names()).toEqual(["x.md"]);
  });

  test("is restored beside a new file of its name", async () => {
    await writeFile(hidden(), "first\n");
    await writeFile(taskPath(task()), "second\n");
    await restore();
    expect(await names()).toEqual(["x-2.md", "x.md"]);
  });

  test("is restored by many at once, without an error", async () => {
    for (let round = 0; round < 20; round += 1) {
      await writeFile(taskPath(task()), "text\n");
      await rename(taskPath(task()), hidden());
      await Promise.all(Array.from({ length: 5 }, async () => await restore()));
      expect(await names()).toEqual(["x.md"]);
    }
  });

  test("is told from other hidden files", async () => {
    const others = [".given-back", ".x.given-back", "..md.given-back", "x.md.given-back", ".x.md.given-back.swp"];
    for (const name of others) await writeFile(inInbox(name), "");
    await restore();
    expect(await names()).toEqual(others.toSorted());
  });
});
