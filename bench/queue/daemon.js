import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { openLog } from "./log.js";
import { endLeftRedis } from "./redis.js";
import { until } from "./until.js";

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));
const MAIN = path("../../dist/main.js");
const AGENT = path("../../demo/agent.js");
const STOP_MS = 20_000;

/** @typedef {Awaited<ReturnType<typeof startDaemon>>} Daemon */

/**
 * @typedef {object} DaemonOptions
 * @property {string} dir its own: the state and the projects are in it
 * @property {Readonly<Record<string, unknown>>} settings of its configuration, besides the usual
 * @property {readonly string[]} [nodeArgs]
 * @property {Readonly<Record<string, string>>} [environment]
 * @property {AbortSignal} signal
 */

/** The inbox of one of its projects, made if there is none. @param {string} dir @param {string} project */
export function inboxOf(dir, project = "alpha") {
  const inbox = join(dir, "projects", project, ".agent-queue", "inbox");
  mkdirSync(inbox, { recursive: true });
  return inbox;
}

/**
 * Starts the program itself and waits until it has started, its first sweep included. Stop it in any case.
 * @param {import("../sandbox.js").Sandbox} sandbox @param {DaemonOptions} options
 */
export async function startDaemon(sandbox, { dir, settings, nodeArgs = [], environment = {}, signal }) {
  const state = join(dir, "state");
  mkdirSync(state, { recursive: true });
  const config = join(dir, "ccl-queue.yaml");
  const whole = {
    state_dir: state,
    tmux: { socket_name: sandbox.socket },
    dispatcher: { projects_dir: join(dir, "projects") },
    claude: { command: process.execPath, args: [AGENT, "--dangerously-skip-permissions"] },
    server: { port: 0 },
    ...settings,
  };
  writeFileSync(config, JSON.stringify(whole)); // which is YAML too
  const logFile = join(dir, "daemon.log");
  const output = openSync(logFile, "w");
  const log = openLog(logFile);
  const spawnedAtMs = Date.now();
  // Detached: a Ctrl-C is for the benchmark, which then stops the daemon in its turn.
  const daemon = spawn(process.execPath, [...nodeArgs, MAIN, "start", "--config", config], {
    env: { ...sandbox.env, ...environment },
    detached: true,
    stdio: ["ignore", output, "inherit"],
  });
  closeSync(output);
  const exited = once(daemon, "exit");
  const isOver = () => daemon.exitCode !== null || daemon.signalCode !== null;
  const stop = async () => {
    daemon.kill("SIGTERM");
    const killer = setTimeout(() => daemon.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(killer);
    await endLeftRedis(join(state, "redis.sock"));
    log.close();
  };
  const startedAtMs = () => log.read().startedAtMs;
  try {
    await until("the daemon has started", () => isOver() || startedAtMs() !== null, signal);
    if (isOver()) throw new Error("ccl-queue ended by itself");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid: daemon.pid ?? 0,
    log,
    /** From its launch until it had started. */
    startMs: (startedAtMs() ?? spawnedAtMs) - spawnedAtMs,
    /** @param {string} route @param {"GET" | "POST"} [method] @returns {Promise<string>} */
    ask: async (route, method = "GET") => await ask(join(state, "daemon.sock"), route, method),
    stop,
  };
}

/** Asks the daemon on its own socket. @param {string} socketPath @param {string} route @param {"GET" | "POST"} method */
async function ask(socketPath, route, method) {
  const question = request({ socketPath, path: route, method });
  question.end();
  const [response] = await once(question, "response");
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(`${method} ${route}: ${response.statusCode} ${answer}`);
  return answer;
}
