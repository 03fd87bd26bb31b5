import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuMsOf } from "../queue/process.js";
import { openSandbox } from "../sandbox.js";
import { until } from "./until.js";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const DRAFT_AGE_MS = 1_000;

/** @typedef {Awaited<ReturnType<typeof openQueue>>} Queue */

/**
 * The program itself in a sandbox of its own, with so many idle sessions. Close it in any case.
 * @param {{ sessions: number, agent: (log: string) => string[], signal: AbortSignal }} options
 */
export async function openQueue({ sessions, agent, signal }) {
  const sandbox = openSandbox();
  const { dir, env } = sandbox;
  const project = join(dir, "projects", "alpha", ".agent-queue");
  const inbox = join(project, "inbox");
  const log = join(dir, "agents.jsonl");
  mkdirSync(inbox, { recursive: true });
  const [command, ...args] = agent(log);
  const config = join(dir, "ccl-queue.yaml");
  const settings = {
    state_dir: join(dir, "state"),
    tmux: { socket_name: sandbox.socket },
    dispatcher: { projects_dir: join(dir, "projects") },
    pool: { autonomous: { min: sessions, max: sessions } },
    claude: { command, args },
    server: { port: 0 },
  };
  writeFileSync(config, JSON.stringify(settings)); // which is YAML too
  // Detached: a Ctrl-C is for the benchmark, which then stops the daemon in its turn.
  const daemon = spawn(process.execPath, [MAIN, "start", "--config", config], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(daemon, "exit");
  const readUrl = urlIn(daemon.stdout);

  /** @param {string} page @returns {Promise<unknown>} */
  const get = async (page) => await (await fetch(`${readUrl()}${page}`, { signal })).json();
  const areIdle = async () => {
    if (daemon.exitCode !== null) throw new Error("ccl-queue ended by itself");
    if (readUrl() === null) return false;
    const { sessions: looks } = /** @type {{ sessions: { state: string }[] }} */ (await get("/api/sessions"));
    return looks.every(({ state }) => state === "idle");
  };
  const rest = async () => await until(areIdle, "all sessions to be idle", signal);
  const close = async () => {
    daemon.kill("SIGTERM");
    await exited;
    await sandbox.close();
  };
  try {
    await rest();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    log,
    get,
    rest,
    close,
    runs: join(dir, "state", "runs"),
    cpuMs: () => cpuMsOf(daemon.pid ?? 0),
    /** @param {readonly Draft[]} drafts */
    drop: (drafts) => drop(inbox, drafts),
  };
}

/** @typedef {{ name: string, header?: string, workS?: number }} Draft the name is the task's first line too */

/**
 * Moves tasks in that were written a while ago, all at once. Returns when, in ms since the epoch.
 * @param {string} inbox @param {readonly Draft[]} drafts
 */
function drop(inbox, drafts) {
  const path = (/** @type {string} */ name) => join(inbox, "..", `${name}.draft`);
  for (const { name, header = "", workS = "" } of drafts) {
    writeFileSync(path(name), `${header}${name} ${workS}\n`);
    utimesSync(path(name), new Date(), new Date(Date.now() - DRAFT_AGE_MS));
  }
  const atMs = performance.timeOrigin + performance.now();
  for (const { name } of drafts) renameSync(path(name), join(inbox, `${name}.md`));
  return atMs;
}

/** Where the daemon's server answers, null before it says so. @param {import("node:stream").Readable} log */
function urlIn(log) {
  /** @type {string | null} */
  let url = null;
  createInterface(log).on("line", (line) => {
    url ??= /http:[^"\s]+/.exec(line)?.[0].replace(/\/$/, "") ?? null;
  });
  return () => url;
}
