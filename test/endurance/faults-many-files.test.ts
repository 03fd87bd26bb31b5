import { execFileSync } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const FILES = 5_000;
/** Whoever asks the daemon something waits no longer than this for its turn. */
const LONGEST_TURN_MS = 200;
const TICK_MS = 5;
const MOST_MIB = 250;
/** Without a session, nothing is run. */
const NO_SESSION = "pool: { autonomous: { min: 0, max: 1 } }";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const inbox = () => join(queue.project, ".agent-queue", "inbox");
const seen = () => queue.events.filter(({ type }) => type === "seen");

/** Writes so many tasks into a folder beside the inbox. */
async function writeTasks(): Promise<string> {
  const folder = join(queue.dir, "projects", ".tasks");
  await mkdir(folder);
  for (let index = 0; index < FILES; index += 1) await writeFile(join(folder, `task-${index}.md`), `Task ${index}.\n`);
  return folder;
}

async function waitForAll(): Promise<void> {
  await until("all are enqueued", () => queue.events.length >= FILES && seen().length >= FILES, 60_000);
  // One that came twice would come now.
  await queue.app.stop();
  expect(new Set(seen().map(({ id }) => id)).size).toBe(FILES);
  expect(new Set(seen().map(({ task }) => task.name)).size).toBe(FILES);
  expect(seen()).toHaveLength(FILES);
  expect(queue.errors).toEqual([]);
}

/** Does something and returns the longest turn of the event loop meanwhile, and by how much the process grew. */
async function measured(act: () => Promise<void>): Promise<{ turnMs: number; grownMib: number }> {
  const before = process.memoryUsage.rss();
  let turnMs = 0;
  let last = clocks();
  const timer = setInterval(() => {
    const now = clocks();
    // Of a turn that takes long as others have the processor, only our own work counts.
    turnMs = Math.max(turnMs, Math.min(now.wallMs - last.wallMs, now.cpuMs - last.cpuMs));
    last = now;
  }, TICK_MS);
  await act().finally(() => clearInterval(timer));
  return { turnMs, grownMib: (process.memoryUsage.rss() - before) / 2 ** 20 };
}

function clocks(): { wallMs: number; cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1_000 };
}

test(`${FILES} files that wait at the start are each enqueued once, and nobody waits long meanwhile`, async () => {
  queue = await prepareQueue({ yaml: NO_SESSION });
  await rename(await writeTasks(), `${inbox()}-full`);
  await rename(inbox(), `${inbox()}-empty`);
  await rename(`${inbox()}-full`, inbox());
  const { turnMs, grownMib } = await measured(async () => {
    await queue.app.start();
    await waitForAll();
  });
  expect(turnMs).toBeLessThan(LONGEST_TURN_MS);
  expect(grownMib).toBeLessThan(MOST_MIB);
}, 90_000);

test(`${FILES} files that are moved in at once are each enqueued once, and nobody waits long meanwhile`, async () => {
  queue = await prepareQueue({ yaml: NO_SESSION });
  const folder = await writeTasks();
  await queue.app.start();
  const { turnMs, grownMib } = await measured(async () => {
    execFileSync("sh", ["-c", `find "${folder}" -name '*.md' -exec mv -t "${inbox()}" {} + &`]);
    await waitForAll();
  });
  expect(turnMs).toBeLessThan(LONGEST_TURN_MS);
  expect(grownMib).toBeLessThan(MOST_MIB);
}, 90_000);
