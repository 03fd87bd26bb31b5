import { execFile, spawn } from "node:child_process";
import { cpSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { processesWith, signal } from "./processes.js";

/**
 * @typedef {ReturnType<typeof openRedis>} Redis
 * @typedef {object} RedisOptions
 * @property {string} socket
 * @property {string} dir where its data are
 * @property {string} log
 * @property {boolean} isEmbedded a daemon starts it, and we do harm to it only
 * @property {NodeJS.ProcessEnv} env
 */

const POLL_MS = 20;
const ANSWER_TIMEOUT_MS = 5_000;

/** The Redis of the queues, which keeps each write before it says so. @param {RedisOptions} options */
export function openRedis({ socket, dir, log, isEmbedded, env }) {
  const copy = join(dir, "..", "redis-copy");

  /** Null while none runs. */
  function pid() {
    return processesWith("cmdline", socket).find((one) => isServer(one)) ?? null;
  }

  /** @param {number} one */
  const isServer = (one) => processesWith("cmdline", "redis-server").includes(one);

  /** @param {string[]} args */
  async function cli(...args) {
    const { stdout } = await promisify(execFile)("redis-cli", ["-s", socket, ...args], { timeout: ANSWER_TIMEOUT_MS });
    return stdout.trim();
  }

  async function start() {
    if (isEmbedded || pid() !== null) return;
    const output = openSync(log, "a");
    const lines = ["--port", "0", "--unixsocket", socket, "--dir", dir, "--save", ""];
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
    spawn("redis-server", [...lines, ...durable], { env, detached: true, stdio: ["ignore", output, output] }).unref();
    while ((await cli("PING").catch(() => "")) !== "PONG") await sleep(POLL_MS);
  }

  /** kill -9; resolves once it is gone. */
  async function kill() {
    const one = pid();
    if (one === null) return;
    signal(one, "SIGKILL");
    while (pid() === one) await sleep(POLL_MS);
  }

  return {
    isEmbedded,
    pid,
    cli,
    start,
    kill,

    /** Keeps what it holds now, for `rollBack`. */
    keep() {
      rmSync(copy, { recursive: true, force: true });
      cpSync(dir, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") && !path.endsWith(".log") });
    },

    /** Its data are those that were kept. It must not run. */
    rollBack() {
      rmSync(join(dir, "appendonlydir"), { recursive: true, force: true });
      renameSync(join(copy, "appendonlydir"), join(dir, "appendonlydir"));
    },
  };
}
