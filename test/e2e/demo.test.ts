import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { probe } from "../../src/queue/connection.ts";
import { type Daemon, runScript } from "../helpers/daemon.ts";
import { until } from "../helpers/until.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const NEEDED = [
  "src",
  "dist",
  "assets",
  "libexec",
  "scripts",
  "package.json",
  "package-lock.json",
  "rolldown.config.js",
  "tsconfig.json",
];

let dir: string;
const daemons: Daemon[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-demo-"));
  for (const name of NEEDED) await cp(join(ROOT, name), join(dir, name), { recursive: true });
  for (const name of ["agent.js", "agent", "secutools.js", "secutools", "tasks"]) {
    await cp(join(ROOT, "demo", name), join(dir, "demo", name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.signal("SIGTERM");
    await daemon.ended();
  }
  await rm(dir, { recursive: true, force: true });
});

async function start(): Promise<Daemon> {
  const daemon = runScript(join(dir, "scripts", "start.js"), [], { HOME: dir }, dir);
  daemons.push(daemon);
  await until("it says what to do next", () => daemon.output().includes("What next:"), 30_000);
  return daemon;
}

test("npm start without a configuration does the sample tasks before one's eyes, twice, and leaves nothing behind", async () => {
  const first = await start();
  for (const step of [
    "seen in the inbox",
    "routed to the local pool",
    "launched in ccl-auto-11",
    "took the prompt",
    "done after",
  ]) {
    expect(first.output()).toMatch(new RegExp(`s {2}demo/hello.md {2}.*${step}`));
  }
  for (const step of ["routed to gpu: complexity_hint is low", "gpu has it, as job-", "done after"]) {
    expect(first.output()).toMatch(new RegExp(`s {2}demo/notes.md {2}.*${step}`));
  }
  expect(first.output()).toContain("now demo/.agent-queue/done/hello.md");
  const [, page = ""] = /open the dashboard +(http:\S+)$/m.exec(first.output()) ?? [];
  expect(await (await fetch(page)).text()).toContain("demo/hello.md");
  expect((await readdir(join(dir, "demo", ".agent-queue", "done"))).sort()).toEqual(["hello.md", "notes.md"]);
  expect(await readFile(join(dir, "demo", "haiku.txt"), "utf8")).toContain("Soon the line is gone.");

  const [, socket = ""] = /tmux -L (\S+) attach$/m.exec(first.output()) ?? [];
  const redis = { socket: join(dir, "demo", ".state", "redis.sock") };
  expect(await probe(redis)).toBeGreaterThan(0);
  first.signal("SIGINT");
  expect(await first.ended()).toBe(0);
  expect(await probe(redis)).toBeNull();
  await expect(execa("tmux", ["-L", socket, "list-sessions"])).rejects.toThrow("no server running");

  const second = await start();
  expect(await readdir(join(dir, "demo", ".agent-queue", "done"))).toEqual([
    "hello-2.md",
    "hello.md",
    "notes-2.md",
    "notes.md",
  ]);
  expect(await processesOf(dir)).not.toEqual([]);
  second.signal("SIGTERM");
  expect(await second.ended()).toBe(0);
  // A tmux server says that it goes, and then takes a moment.
  await until("nothing of it runs", async () => (await processesOf(dir)).length === 0);
}, 60_000);

/** What runs with a file of a directory among its arguments. */
async function processesOf(dir: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map((pid) => readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")),
  );
  return commands.filter((command) => command.includes(dir));
}
