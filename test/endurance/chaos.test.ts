import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Daemon, runScript } from "../helpers/daemon.ts";
import { until } from "../helpers/until.ts";

const CHAOS = new URL("../../scripts/chaos.js", import.meta.url).pathname;
/** What is broken has this long to come to its end after the last fault. */
const TIMEOUT_MS = 480_000;

/** A run of the script whose directory is in one of the test's own. */
async function startChaos(...args: string[]): Promise<{ chaos: Daemon; left: () => Promise<string[]> }> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-test-"));
  const chaos = runScript(CHAOS, [...args, "--sessions", "4"], { TMPDIR: dir });
  onTestFinished(async () => {
    chaos.signal("SIGTERM");
    await chaos.ended();
    await rm(dir, { recursive: true, force: true });
  });
  return { chaos, left: async () => await readdir(dir) };
}

test.for(["outside", "embedded"])(
  "under random faults, with Redis %s, no task is lost and none is run twice",
  { timeout: TIMEOUT_MS },
  async (redis) => {
    const { chaos, left } = await startChaos("--minutes", "0.75", "--seed", "1", "--redis", redis);
    const code = await chaos.ended();
    expect(chaos.output()).toContain("The promise held.");
    expect(code).toBe(0);
    expect(await left()).toEqual([]);
  },
);

test("a run that is interrupted leaves nothing", async () => {
  const { chaos, left } = await startChaos("--minutes", "10", "--seed", "1", "--redis", "outside");
  await until("it has begun", async () => (await left()).length > 0);
  chaos.signal("SIGTERM");
  expect(await chaos.ended()).toBe(130);
  expect(await left()).toEqual([]);
});
