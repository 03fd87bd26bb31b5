import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  fingerprint,
  isComplete,
  isMovedIn,
  isToldOf,
  released,
  SETTLE_MS,
  type Sighting,
  sight,
  unsettledMs,
} from "../../src/ledger/completeness.ts";

const HOUR_MS = 3_600_000;

let dir: string;
let file: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "complete-")));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  file = join(dir, "x.md");
});

async function look(path = file): Promise<Sighting> {
  const sighting = await sight(path);
  if (sighting === null) throw new Error(`${path} is gone`);
  return sighting;
}

const changedAtMs = ({ stats }: Sighting) => Number(stats.ctimeMs);

/** Writes a file where it stands, and leaves no doubt about it on clocks that tick slowly. */
function writeInPlace(): void {
  writeFileSync(file, "Do it.");
  const later = Date.now() / 1_000 + 1;
  utimesSync(file, later, later);
}

/** Writes a file elsewhere and moves it in; the file system's clock has to tick in between. */
async function moveIn(): Promise<Sighting> {
  const draft = join(dir, "draft");
  writeFileSync(draft, "Do it.");
  renameSync(draft, file);
  while ((await look()).stats.ctimeNs === (await look()).stats.mtimeNs) {
    renameSync(file, draft);
    renameSync(draft, file);
  }
  return await look();
}

async function holdOpen(script: string): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", `${script}; echo open; read line`], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

describe("a look", () => {
  test("at a file tells its path, its name and its state", async () => {
    writeFileSync(file, "Do it.");
    expect(await look()).toMatchObject({ path: file, name: "x.md", stats: { size: 6n } });
  });

  test("at nothing tells so", async () => {
    expect(await sight(file)).toBeNull();
  });

  test("at a folder finds no file either", async () => {
    mkdirSync(file);
    expect(await sight(file)).toBeNull();
  });

  test("at a link is not one at what it leads to", async () => {
    symlinkSync("nowhere", file);
    expect((await look()).stats.isSymbolicLink()).toBe(true);
  });
});

describe("the fingerprint", () => {
  test("of an untouched file stays", async () => {
    writeFileSync(file, "Do it.");
    expect(fingerprint(await look())).toBe(fingerprint(await look()));
  });

  test.each<[string, () => void]>([
    ["written longer", () => writeFileSync(file, "Do it now.")],
    ["written anew within its length", () => utimesSync(file, 1, 1)],
    [
      "replaced by one of the same length and time",
      () => {
        writeFileSync(`${file}.new`, "So it!");
        utimesSync(`${file}.new`, 1_000_000_000, 1_000_000_000);
        renameSync(`${file}.new`, file);
      },
    ],
  ])("of a file that is %s changes", async (_what, change) => {
    writeFileSync(file, "Do it.");
    utimesSync(file, 1_000_000_000, 1_000_000_000);
    const before = fingerprint(await look());
    change();
    expect(fingerprint(await look())).not.toBe(before);
  });
});

describe("moved in whole", () => {
  test("is a file that was renamed after it was written", async () => {
    expect(isMovedIn(await moveIn())).toBe(true);
  });

  test.each<[string, () => void]>([
    ["kept its old times (cp -p, rsync)", () => utimesSync(file, 1_000_000_000, 1_000_000_000)],
    ["was given its rights", () => chmodSync(file, 0o600)],
    ["was linked here", () => linkSync(file, `${file}.other`)],
  ])("is a file that after its writing %s", async (_what, finish) => {
    writeFileSync(file, "Do it.");
    while (!isMovedIn(await look())) finish();
    expect(await isComplete(await look(), changedAtMs(await look()))).toBe(true);
  });

  test("is no file that was written where it stands", async () => {
    writeInPlace();
    expect(isMovedIn(await look())).toBe(false);
  });

  test("is no empty file, whatever was done to it: its text may come yet", async () => {
    writeFileSync(file, "");
    while ((await look()).stats.ctimeNs === (await look()).stats.mtimeNs) chmodSync(file, 0o600);
    const sighting = await look();
    expect(isMovedIn(sighting)).toBe(false);
    expect(await isComplete(sighting, changedAtMs(sighting) + SETTLE_MS - 1)).toBe(false);
  });

  test("counts at once, even while somebody holds it open", async () => {
    await moveIn();
    await holdOpen(`exec 3>> '${file}'`);
    const sighting = await look();
    expect(await isComplete(sighting, changedAtMs(sighting))).toBe(true);
  });
});

describe("written in place, a file", () => {
  test.each([
    [0, SETTLE_MS],
    [1, SETTLE_MS - 1],
    [SETTLE_MS - 1, 1],
    [SETTLE_MS, 0],
    [HOUR_MS, 0],
    [-1, SETTLE_MS],
    [-HOUR_MS, SETTLE_MS],
  ])("that changed %d ms ago is left alone for %d ms more", async (agoMs, leftMs) => {
    writeInPlace();
    const sighting = await look();
    expect(unsettledMs(sighting, changedAtMs(sighting) + agoMs)).toBe(leftMs);
  });

  test.each([
    ["is not complete before it has settled", SETTLE_MS - 1, false],
    ["is complete once it has", SETTLE_MS, true],
    ["is not complete when it comes from the future", -HOUR_MS, false],
  ])("%s", async (_what, agoMs, expected) => {
    writeInPlace();
    const sighting = await look();
    expect(await isComplete(sighting, changedAtMs(sighting) + agoMs)).toBe(expected);
  });

  test("is not complete while somebody holds it open for writing, however long", async () => {
    writeInPlace();
    const writer = await holdOpen(`exec 3>> '${file}'`);
    const sighting = await look();
    expect(await isComplete(sighting, changedAtMs(sighting) + HOUR_MS)).toBe(false);
    writer.kill("SIGKILL");
    await once(writer, "exit");
    expect(await isComplete(sighting, changedAtMs(sighting) + HOUR_MS)).toBe(true);
  });
});

describe("file events can prove whole", () => {
  const links = () => {
    writeFileSync(join(dir, "target.md"), "Do it.");
    symlinkSync("target.md", file);
  };

  test.each<[string, NodeJS.Platform, () => void, boolean]>([
    ["a file with text in it on Linux", "linux", () => writeFileSync(file, "Do it."), true],
    ["no file on another system", "darwin", () => writeFileSync(file, "Do it."), false],
    ["no empty file", "linux", () => writeFileSync(file, ""), false],
    ["no link", "linux", links, false],
  ])("%s", async (_what, platform, make, expected) => {
    vi.spyOn(process, "platform", "get").mockReturnValue(platform);
    make();
    expect(isToldOf(await look())).toBe(expected);
  });
});

describe("of several files those are released that nobody writes", () => {
  test("in the order given", async () => {
    const files = ["a.md", "b.md", "c.md"].map((name) => join(dir, name));
    for (const path of files) writeFileSync(path, "");
    const [a = file, b = file, c = file] = files;
    await holdOpen(`exec 3>> '${b}'`);
    const sightings = [await look(c), await look(b), await look(a)];
    expect((await released(sightings)).map(({ name }) => name)).toEqual(["c.md", "a.md"]);
  });

  test("and a link is not while what it leads to is written", async () => {
    writeFileSync(join(dir, "target.md"), "");
    symlinkSync("target.md", file);
    await holdOpen(`exec 3>> '${join(dir, "target.md")}'`);
    expect(await released([await look()])).toEqual([]);
  });

  test("and a link to what is no file is: somebody always writes to /dev/null", async () => {
    symlinkSync("/dev/null", file);
    await holdOpen("exec 3>> /dev/null");
    const sighting = await look();
    expect(await released([sighting])).toEqual([sighting]);
  });

  test("and one that is gone is not held", async () => {
    writeFileSync(file, "");
    const sighting = await look();
    rmSync(file);
    expect(await released([sighting])).toEqual([sighting]);
  });

  test("and none of none", async () => {
    expect(await released([])).toEqual([]);
  });
});
