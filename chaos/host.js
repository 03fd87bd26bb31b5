import { execFile, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * @typedef {ReturnType<typeof openHost>} Host
 * @typedef {object} HostOptions
 * @property {string} name
 * @property {string} dir its own: state, tmux server, log
 * @property {object} settings the configuration but for what is the host's own
 * @property {NodeJS.ProcessEnv} env
 */

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));
const MAIN = path("../dist/main.js");
export const AGENT = path("../demo/agent.js");
const TMUX_SOCKET = "chaos";
/** As a service manager would wait before it starts again what has ended. */
const RESTART_MS = 500;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 15_000;
const POLL_MS = 50;

/** A daemon of dist/ with a state directory, a tmux server and a pool of its own. @param {HostOptions} options */
export function openHost({ name, dir, settings, env }) {
  mkdirSync(dir);
  const config = join(dir, "ccl-queue.yaml");
  const log = join(dir, "daemon.log");
  const own = { state_dir: join(dir, "state"), tmux: { socket_name: TMUX_SOCKET } };
  writeFileSync(config, JSON.stringify({ ...settings, ...own })); // which is YAML too
  const environment = { ...env, TMUX_TMPDIR: dir, CLAUDE_CONFIG_DIR: join(dir, "claude") };

  /** @type {import("node:child_process").ChildProcess | null} */
  let daemon = null;
  let isWanted = false;
  /** What the daemon did that nobody asked for. @type {string[]} */
  const surprises = [];

  /** Does not wait until it watches. */
  function start() {
    isWanted = true;
    if (daemon !== null) return;
    const output = openSync(log, "a");
    const child = spawn(process.execPath, [MAIN, "start", "--config", config], {
      env: environment,
      detached: true,
      stdio: ["ignore", output, output],
    });
    daemon = child;
    child.once("exit", (code, signal) => {
      daemon = null;
      if (!isWanted) return;
      surprises.push(`${name}: the daemon ended by itself (${signal ?? `exit code ${code}`})`);
      setTimeout(() => isWanted && start(), RESTART_MS);
    });
  }

  /** Resolves once it is gone. @param {"SIGKILL" | "SIGTERM"} signal */
  async function stop(signal) {
    isWanted = false;
    daemon?.kill(signal);
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    while (daemon !== null) {
      if (signal === "SIGTERM" && performance.now() > deadline) {
        surprises.push(`${name}: the daemon had not ended ${STOP_TIMEOUT_MS / 1000} s after SIGTERM`);
        return await stop("SIGKILL");
      }
      await sleep(POLL_MS);
    }
  }

  /** What the tmux server answers, nothing where there is none. @param {string[]} args */
  async function tmux(...args) {
    const run = promisify(execFile)("tmux", ["-L", TMUX_SOCKET, ...args], { env: environment });
    return await run.then(
      ({ stdout }) => stdout,
      () => "",
    );
  }

  return {
    name,
    claudeDir: join(dir, "claude"),
    redis: { socket: join(dir, "state", "redis.sock"), dir: join(dir, "state", "redis") },
    surprises,
    start,
    stop,
    tmux,

    /** Null while none runs. */
    pid: () => daemon?.pid ?? null,

    async untilStarted() {
      const deadline = performance.now() + START_TIMEOUT_MS;
      while (!readFileSync(log, "utf8").includes('"msg":"watching ')) {
        if (performance.now() > deadline) throw new Error(`${name}: the daemon did not start; its log is ${log}`);
        await sleep(POLL_MS);
      }
    },

    /** Every session with the run that it is tagged with, or "". */
    async sessions() {
      const lines = (await tmux("list-panes", "-a", "-F", "#{session_name} #{@ccl_run}")).split("\n");
      return lines.flatMap((line) => {
        const [session = "", run = ""] = line.split(" ");
        return session === "" ? [] : [{ session, run }];
      });
    },

    /** Runs a verb of the command line. False when it fails. @param {string} verb @param {string[]} args */
    async command(verb, ...args) {
      const options = { env: environment, timeout: COMMAND_TIMEOUT_MS };
      return await promisify(execFile)(process.execPath, [MAIN, verb, "--config", config, ...args], options).then(
        () => true,
        () => false,
      );
    },
  };
}
