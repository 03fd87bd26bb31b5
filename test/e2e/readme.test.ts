import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Daemon, runScript } from "../helpers/daemon.ts";
import { until } from "../helpers/until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = await readFile(join(ROOT, "README.md"), "utf8");
const WORK_MS = 60_000;

let dir: string;
let socket: string;
let daemon: Daemon | null = null;

const home = () => join(dir, "home");
const clone = () => join(dir, "clone");
const folder = (name: string) => join(home(), "projects", "site", ".agent-queue", name);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-readme-"));
  socket = `ccl-queue-test-${basename(dir)}`;
  await mkdir(home());
  const isOurs = (path: string) => !["node_modules", ".git", "coverage"].includes(basename(path));
  await cp(ROOT, clone(), { recursive: true, filter: isOurs });
  await symlink(join(ROOT, "node_modules"), join(clone(), "node_modules"));
});

afterEach(async () => {
  daemon?.signal("SIGTERM");
  await daemon?.ended();
  daemon = null;
  await execa("tmux", ["-L", socket, "kill-server"], { reject: false });
  await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

/** The shell commands of a section, one block after the other, without `npm start`, which stays. */
function blocks(heading: string): string[] {
  const section = README.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) =>
    block.replace(/^npm start.*\n/m, ""),
  );
}

const environment = () => ({
  ...{ HOME: home(), EDITOR: join(dir, "editor"), REDIS_URL: "", CCL_QUEUE_CONFIG: "", NO_COLOR: "1" },
  CCL_QUEUE_AGENT_WORK_MS: String(WORK_MS),
});

async function shell(script: string): Promise<string> {
  return (await execa("sh", ["-e"], { cwd: clone(), env: environment(), input: script, all: true })).all;
}

/** Stands for the person who writes down what is theirs: here, an agent that needs no login. */
async function writeEditor(): Promise<void> {
  const settings = [
    `state_dir: ${join(dir, "state")}`,
    `tmux: { socket_name: ${socket} }`,
    "dispatcher: { projects_dir: ~/projects }",
    "pool: { autonomous: { min: 1, max: 1 } }",
    `claude: { command: ${process.execPath}, args: ["${join(clone(), "demo", "agent.js")}"] }`,
    "server: { port: 0 }",
  ];
  await writeFile(join(dir, "editor"), `#!/bin/sh\ncat > "$1" <<'YAML'\n${settings.join("\n")}\nYAML\n`);
  await chmod(join(dir, "editor"), 0o755);
}

test("what the README says to type works as it stands there", async () => {
  await writeEditor();
  const [setUp = "", drop = "", lookAfter = "", ...others] = blocks("Use it for real");
  expect(others).toEqual([]);
  expect(await shell(setUp)).toContain("ccl-queue.yaml");
  daemon = runScript(join(clone(), "scripts", "start.js"), [], environment(), clone());
  await until("it watches", () => daemon?.output().includes("watching ") ?? false, 30_000);
  await shell(drop);
  await until("its agent works", async () => (await readdir(folder("inbox"))).includes("login-test.md.dispatched"));
  const printed = await shell(lookAfter);
  expect(printed).toContain("site/login-test.md");
  await until("it is cancelled", async () =>
    (await readdir(folder("failed")).catch((): string[] => [])).includes("login-test.md"),
  );
  const text = await readFile(join(folder("failed"), "login-test.md"), "utf8");
  expect(text).toMatch(/^---\ntitle: Fix the flaky login test\n/);
  expect(text).toContain("TASK_CANCELLED");
});
