import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cpuMsOf } from "./queue/process.js";
import { openSandbox } from "./sandbox.js";

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));
const MAIN = path("../dist/main.js");
const AGENT = path("../demo/agent.js");
const POLL_MS = 250;
const TAGGED = "---\ntags: [night]\n---\n";

/**
 * The program itself with so many sessions at work, the other tasks waiting, every tenth of them with the tag `night`,
 * and some more that are done. Close it in any case.
 * @param {{ sessions: number, tasks: number, done: number }} size
 */
export async function openFleet({ sessions, tasks, done }) {
  const sandbox = openSandbox();
  const { dir, env } = sandbox;
  const inbox = join(dir, "projects", "alpha", ".agent-queue", "inbox");
  mkdirSync(inbox, { recursive: true });
  for (let task = 0; task < done; task += 1)
    writeFileSync(join(inbox, `done-${task}.md`), "---\npriority: critical\n---\nDo it.\nagent: work 1ms\n");
  for (let task = 0; task < tasks; task += 1)
    writeFileSync(join(inbox, `task-${task}.md`), `${task % 10 === 0 ? TAGGED : ""}Do it.\nagent: work 30m\n`);
  const config = join(dir, "ccl-queue.yaml");
  const settings = {
    state_dir: join(dir, "state"),
    tmux: { socket_name: sandbox.socket },
    dispatcher: { projects_dir: join(dir, "projects") },
    pool: { autonomous: { min: sessions, max: sessions } },
    claude: { command: process.execPath, args: [AGENT, "--dangerously-skip-permissions"] },
    server: { port: 0 },
  };
  writeFileSync(config, JSON.stringify(settings)); // which is YAML too
  const daemon = spawn(process.execPath, [MAIN, "start", "--config", config], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(daemon, "exit");
  const url = await new Promise((resolve) => {
    daemon.stdout.on("data", (chunk) => {
      const [found] = /http:[^"\s]+/.exec(String(chunk)) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  /** @param {string} page */
  const get = async (page) => {
    const response = await fetch(`${url}${page}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${page}: ${response.status} ${text}`);
    return text;
  };
  const close = async () => {
    daemon.kill("SIGTERM");
    await exited;
    await sandbox.close();
  };
  try {
    const id = await allThere(get, sessions, tasks + done);
    return { id, get, close, cpuMs: () => cpuMsOf(daemon.pid ?? 0), watch: async () => await watch(url), command };
  } catch (error) {
    await close();
    throw error;
  }

  /** @param {string[]} args */
  async function command(args) {
    const [verb = "", ...rest] = args;
    await promisify(execFile)(process.execPath, [MAIN, verb, "--config", config, ...rest], { env, maxBuffer: 2 ** 26 });
  }
}

/** Waits until so many run and all others wait for a session; the id of one that runs. @param {(page: string) => Promise<string>} get @param {number} sessions @param {number} tasks */
async function allThere(get, sessions, tasks) {
  for (;;) {
    const { total } = JSON.parse(await get("/api/tasks?limit=1"));
    const running = JSON.parse(await get("/api/tasks?state=running&limit=100")).tasks;
    const { inbox } = JSON.parse(await get("/api/status")).queues;
    const isRouted = inbox.waiting + inbox.active === 0;
    if (total === tasks && isRouted && running.length === sessions) return String(running[0].id);
    await sleep(POLL_MS);
  }
}

/** Does what a browser does with the dashboard open. @param {string} url */
async function watch(url) {
  const page = await (await fetch(url)).text();
  const [, live = "/live"] = /data-live="([^"]+)"/.exec(page) ?? [];
  const stop = new AbortController();
  const stream = await fetch(new URL(live.replaceAll("&amp;", "&"), url), { signal: stop.signal });
  void (async () => {
    for await (const _ of stream.body ?? []);
  })().catch(() => {});
  return () => stop.abort();
}
