import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import { logged } from "../helpers/logged.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { CAN_MOUNT, FULL, fillUp, type Place, WAYS, type Way } from "../helpers/small-disk.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => {
  daemon.signal("SIGTERM");
  await daemon.ended();
  await queue.stop();
});

/** The two disks: the project's, and that of the runs. */
const project = () => join(queue.project, ".agent-queue");
const runs = () => join(queue.config.stateDir, "runs");
const shelf = (folder: "done" | "failed"): Place => ({ disk: project(), folder: join(project(), folder) });
const ofRuns = (): Place => ({ disk: runs(), folder: runs() });

async function start(way: Way): Promise<void> {
  queue = await prepareQueue({ sessions: 1, sweep: "1s" });
  await mkdir(runs(), { recursive: true });
  daemon = await startDaemon(queue.configFile, queue.environment, way.under([project(), runs()]));
  await mkdir(way.at(daemon, join(project(), "inbox")), { recursive: true });
}

const errors = () => logged(daemon).filter(({ level }) => level >= 50);
const steps = (type: string) => logged(daemon).filter(({ event }) => event?.type === type).length;
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");

async function list(way: Way, path: string): Promise<string[]> {
  const names = await readdir(way.at(daemon, path)).catch((): string[] => []);
  return names.filter((name) => name !== "filler").sort();
}

/** Whether an agent waits for its hook, which waits until it can write. */
async function isHookAtWork(): Promise<boolean> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.some((line) => line.startsWith(`sh\0${runs()}`) && line.includes("hook.sh"));
}

/** Writes a task beside the inbox, where there is still space, and returns what drops it. */
async function draft(way: Way, name: string, text: string): Promise<() => Promise<void>> {
  const beside = way.at(daemon, join(project(), `draft-${name}`));
  await writeFile(beside, text);
  return async () => await rename(beside, way.at(daemon, join(project(), "inbox", name)));
}

/** Waits until it is told what cannot be written to, and what to do about it. */
async function untilTold(way: Way, { folder }: Place): Promise<void> {
  const [told] = await until("it is told", () => errors().length > 0 && errors());
  expect(told).toMatchObject({ code: way.code, msg: expect.stringContaining(folder) });
  expect(told?.hint).toContain("it is tried again by itself");
}

async function untilShelved(way: Way, { folder }: Place, name: string): Promise<void> {
  await until(`${name} is there`, async () => (await list(way, folder)).includes(name));
  await until("nothing is on its way", async () => (await list(way, join(project(), "inbox"))).length === 0);
}

describe.each(WAYS)("$name", (way) => {
  test("a task waits until its run can be kept, and what was tried leaves nothing behind", async () => {
    await start(way);
    const drop = await draft(way, "task.md", "do it\n");
    await way.close(daemon, ofRuns());
    await drop();
    await untilTold(way, ofRuns());
    expect(await list(way, join(project(), "inbox"))).toEqual(["task.md"]);
    await way.open(daemon, ofRuns());
    await untilShelved(way, shelf("done"), "task.md");
    expect(errors()).toHaveLength(1);
    expect(await list(way, runs())).toHaveLength(1);
    expect(await starts()).toHaveLength(1);
  });

  test("a task's text stays in the inbox until its result can be written", async () => {
    await start(way);
    const drop = await draft(way, "task.md", "agent: work 2s\n");
    await drop();
    await until("it runs", () => steps("submitted") === 1);
    await way.close(daemon, shelf("done"));
    await untilTold(way, shelf("done"));
    expect(await list(way, join(project(), "inbox"))).toHaveLength(1);
    expect(await list(way, join(project(), "done"))).not.toContain("task.md");
    await way.open(daemon, shelf("done"));
    await untilShelved(way, shelf("done"), "task.md");
    expect(errors()).toHaveLength(1);
    expect(await starts()).toHaveLength(1);
  });

  test("a file that cannot be run stays in the inbox until the reason can be written", async () => {
    await start(way);
    const drop = await draft(way, "bad.md", "---\npriority: high\n---\n");
    await way.close(daemon, shelf("failed"));
    await drop();
    await untilTold(way, shelf("failed"));
    expect(await list(way, join(project(), "inbox"))).toHaveLength(1);
    await way.open(daemon, shelf("failed"));
    await untilShelved(way, shelf("failed"), "bad.md");
    expect(errors()).toHaveLength(1);
  });

  test("an end that the agent cannot report is known when it can", async () => {
    await start(way);
    const drop = await draft(way, "task.md", "agent: work 2s\n");
    await drop();
    await until("it runs", () => steps("submitted") === 1);
    await way.close(daemon, ofRuns());
    await until("its hook tries to", async () => await isHookAtWork());
    await way.open(daemon, ofRuns());
    await untilShelved(way, shelf("done"), "task.md");
    expect(await starts()).toHaveLength(1);
    expect(errors()).toEqual([]);
  });
});

// Where nobody can mount a disk there is none that has space for one file and not for the next.
describe.each(CAN_MOUNT ? [FULL] : [])("$name", (way) => {
  test("a task whose prompt has no space waits, as if it had not been claimed", async () => {
    await start(way);
    const drop = await draft(way, "large.md", "large\n".repeat(50_000));
    await fillUp(way.at(daemon, runs()), 200);
    await drop();
    await untilTold(way, ofRuns());
    await until("it waits", async () => (await list(way, join(project(), "inbox"))).join() === "large.md");
    await way.open(daemon, ofRuns());
    await untilShelved(way, shelf("done"), "large.md");
    expect(errors()).toHaveLength(1);
    expect(await list(way, runs())).toHaveLength(1);
  });
});
