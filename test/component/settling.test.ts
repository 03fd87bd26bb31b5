import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { SETTLE_MS, type Sighting, sight } from "../../src/ledger/completeness.ts";
import { Settling } from "../../src/producers/settling.ts";
import { until } from "../helpers/until.ts";

const HELD_RETRY_MS = 250;

let dir: string;
let settling: Settling;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "settling-")));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  settling = new Settling();
});

const pass = (ms: number) => vi.advanceTimersByTime(ms);

/** Writes a file where it stands: its modification is no older than its last change of any kind. */
function write(name: string): string {
  const path = join(dir, name);
  appendFileSync(path, "Do it.");
  const future = Date.now() / 1_000 + 60;
  utimesSync(path, future, future);
  return path;
}

/** A file that came here after it was written, as its times tell. */
function moveIn(name: string): string {
  const path = join(dir, name);
  writeFileSync(path, "Do it.");
  utimesSync(path, 1_000_000_000, 1_000_000_000);
  return path;
}

async function look(path: string): Promise<Sighting> {
  const sighting = await sight(path);
  if (sighting === null) throw new Error(`${path} is gone`);
  return sighting;
}

/** Sets the clocks to so many ms after the file was changed. */
async function setClock(path: string, agoMs: number): Promise<void> {
  vi.setSystemTime(Number((await look(path)).stats.ctimeMs) + agoMs);
}

async function complete(...paths: string[]): Promise<string[]> {
  const found = await settling.complete(await Promise.all(paths.map(look)));
  return found.map(({ name }) => name);
}

async function holdOpen(path: string) {
  const child = spawn("sh", ["-c", `exec 3>> '${path}'; echo open; read line`], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

test("nothing to look at leaves nothing to wait for", async () => {
  expect(await complete()).toEqual([]);
  expect(settling.retryMs).toBeNull();
});

test("a file that was moved in whole is complete at once, even from a future clock", async () => {
  const path = moveIn("a.md");
  await setClock(path, -3_600_000);
  expect(await complete(path)).toEqual(["a.md"]);
  expect(settling.retryMs).toBeNull();
});

describe("a file that is written in place", () => {
  test("waits until it has settled, and is looked at again just then", async () => {
    const path = write("a.md");
    await setClock(path, 0);
    expect(await complete(path)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
    pass(SETTLE_MS - 1);
    expect(await complete(path)).toEqual([]);
    expect(settling.retryMs).toBe(1);
    pass(1);
    expect(await complete(path)).toEqual(["a.md"]);
    expect(settling.retryMs).toBeNull();
  });

  test("is complete at the first look when it was left alone for long", async () => {
    const path = write("a.md");
    await setClock(path, SETTLE_MS);
    expect(await complete(path)).toEqual(["a.md"]);
  });

  test("waits anew with each change", async () => {
    const path = write("a.md");
    await setClock(path, 0);
    await complete(path);
    pass(SETTLE_MS - 1);
    write("a.md");
    await setClock(path, 0);
    expect(await complete(path)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
  });

  test.each([-1, -1_000, -3_600_000])("on a disk whose clock is %d ms off settles by our own watch", async (agoMs) => {
    const path = write("a.md");
    await setClock(path, agoMs - SETTLE_MS);
    expect(await complete(path)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
    pass(SETTLE_MS - 1);
    expect(await complete(path)).toEqual([]);
    pass(1);
    expect(await complete(path)).toEqual(["a.md"]);
  });

  test("is forgotten when it is not looked at any more: its watch starts over", async () => {
    const path = write("a.md");
    await setClock(path, -3_600_000);
    await complete(path);
    pass(SETTLE_MS);
    await complete();
    expect(await complete(path)).toEqual([]);
  });

  test("is told again if asked again: who calls remembers what was complete", async () => {
    const path = write("a.md");
    await setClock(path, SETTLE_MS);
    expect(await complete(path)).toEqual(["a.md"]);
    expect(await complete(path)).toEqual(["a.md"]);
  });
});

describe("on Linux, a file of which nothing but a rename was reported", () => {
  const renamed = () => true;
  const completeOf = async (path: string, isOnlyRenamed: (name: string) => boolean) =>
    (await settling.complete([await look(path)], isOnlyRenamed)).map(({ name }) => name);

  test("is complete at once, whatever its times", async () => {
    const path = write("a.md");
    await setClock(path, 0);
    expect(await completeOf(path, renamed)).toEqual(["a.md"]);
    expect(settling.retryMs).toBeNull();
  });

  test("alone is: another waits for its time", async () => {
    const [a, b] = [write("a.md"), write("b.md")];
    await setClock(b, 0);
    const found = await settling.complete([await look(a), await look(b)], (name) => name === "a.md");
    expect(found.map(({ name }) => name)).toEqual(["a.md"]);
    expect(settling.retryMs).toBe(SETTLE_MS);
  });

  test("waits when it is reported again while its writers are looked for", async () => {
    const path = write("a.md");
    await setClock(path, 0);
    const answers = [true, false];
    expect(await completeOf(path, () => answers.shift() ?? true)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
  });

  test("waits when it is written in the last moment: what was reported by then is heard before it is asked", async () => {
    const path = join(dir, "a.md");
    const reports: string[] = [];
    const watcher = watch(dir, (event, name) => void (name === "a.md" && reports.push(event)));
    onTestFinished(() => watcher.close());
    renameSync(write("draft"), path);
    await until("the rename is reported", () => reports.length > 0);
    reports.length = 0;
    await setClock(path, 0);
    const isOnlyRenamed = () => {
      if (reports.length > 0) return false;
      appendFileSync(path, " And that.");
      return true;
    };
    expect(await completeOf(path, isOnlyRenamed)).toEqual([]);
  });

  test("waits while it is empty", async () => {
    const path = write("a.md");
    writeFileSync(path, "");
    await setClock(path, 0);
    expect(await completeOf(path, renamed)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
  });

  test("waits while somebody holds it open for writing", async () => {
    const path = write("a.md");
    await holdOpen(path);
    await setClock(path, 0);
    expect(await completeOf(path, renamed)).toEqual([]);
    expect(settling.retryMs).toBe(SETTLE_MS);
  });
});

describe("a file that somebody holds open for writing", () => {
  test("waits, however long it has settled, and is looked at again soon", async () => {
    const path = write("a.md");
    const writer = await holdOpen(path);
    await setClock(path, 3_600_000);
    expect(await complete(path)).toEqual([]);
    expect(settling.retryMs).toBe(HELD_RETRY_MS);
    writer.kill("SIGKILL");
    await once(writer, "exit");
    expect(await complete(path)).toEqual(["a.md"]);
    expect(settling.retryMs).toBeNull();
  });

  test("is complete all the same when it was moved in whole", async () => {
    const path = moveIn("a.md");
    await holdOpen(path);
    expect(await complete(path)).toEqual(["a.md"]);
  });
});

describe("of several files", () => {
  test("those complete are told in the order given, and none waits for another", async () => {
    const [b, a, c] = [moveIn("b.md"), write("a.md"), moveIn("c.md")];
    await setClock(a, 50);
    expect(await complete(c, a, b)).toEqual(["c.md", "b.md"]);
    expect(settling.retryMs).toBe(SETTLE_MS - 50);
  });

  test("the next look is when the first may be ready", async () => {
    const [held, young] = [write("held.md"), write("young.md")];
    await holdOpen(held);
    const sightings = [await look(held), await look(young)];
    const [older, younger] = sightings.map(({ stats }) => Number(stats.ctimeMs));
    vi.setSystemTime((younger ?? 0) + SETTLE_MS - 1);
    // Both were written within a moment; by the clock of the disk the first may have settled, or not quite.
    await settling.complete(sightings);
    const leftMs = SETTLE_MS - (Date.now() - (older ?? 0));
    expect(settling.retryMs).toBe(leftMs > 0 ? Math.min(leftMs, 1) : 1);
  });
});
