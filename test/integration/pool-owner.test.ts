import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { processOf } from "../../src/workers/process.ts";
import { PoolOwner } from "../../src/workers/tmux/pool-owner.ts";
import { Tmux } from "../../src/workers/tmux/tmux.ts";

const OPTION = "@ccl_pool_w.1_s-";
const DEAD = `${process.pid} 1 dead`;

let dir: string;
let tmux: Tmux;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-pool-owner-"));
  tmux = new Tmux(`ccl-queue-test-${dir.slice(-6)}`, childEnvironment({ HOME: dir }));
  await tmux.createSessions(["s-1"], dir);
});
afterEach(async () => {
  await tmux.killServer();
  await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

/** The daemon of a host: this process, as far as it can be told from others. */
function owner(host: string, range: { workspace?: string; prefix?: string } = {}): PoolOwner {
  return new PoolOwner({ tmux, workspace: "w.1", prefix: "s-", host, ...range });
}

async function said(): Promise<string> {
  const { stdout } = await execa("tmux", ["-L", tmux.socket, "show-options", "-sqv", OPTION], { env: { HOME: dir } });
  return stdout;
}

const taken = { code: "POOL_TAKEN" };

test("the sessions are one daemon's until it leaves, and it may take them again", async () => {
  const [a, b] = [owner("a"), owner("b")];
  await a.take();
  expect(await said()).toBe(`${process.pid} ${processOf(process.pid)?.startTime} a`);
  await expect(b.take()).rejects.toMatchObject(taken);
  await b.leave();
  await a.take();
  await a.leave();
  await b.take();
  await expect(a.take()).rejects.toMatchObject(taken);
});

test("another workspace and other sessions are another's", async () => {
  for (const range of [{}, { workspace: "w.2" }, { prefix: "t-" }]) await owner("a", range).take();
  await expect(owner("b").take()).rejects.toMatchObject(taken);
  await expect(owner("b", { prefix: "t-" }).take()).rejects.toMatchObject(taken);
});

test.each([
  ["which nobody has", ""],
  ["of a daemon that is gone, though another process has its pid", DEAD],
])("of many daemons at once, one takes sessions %s", async (_which, before) => {
  for (let round = 0; round < 10; round += 1) {
    await tmux.swapOption(OPTION, await said(), before);
    const owners = Array.from({ length: 6 }, (_, index) => owner(`host-${index}`));
    const results = await Promise.allSettled(owners.map(async (one) => await one.take()));
    const winners = results.flatMap(({ status }, index) => (status === "fulfilled" ? [`host-${index}`] : []));
    expect(winners).toEqual([(await said()).split(" ")[2]]);
  }
});

test("where no tmux server runs, nobody has anything, and whoever finds one first takes its sessions", async () => {
  await owner("a").take();
  await tmux.killServer();
  await owner("b").take();
  await owner("a").leave();
  await tmux.createSessions(["s-1"], dir);
  await owner("b").take();
  await expect(owner("a").take()).rejects.toMatchObject(taken);
});
