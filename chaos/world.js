import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openGateway } from "./gateway.js";
import { AGENT, openHost } from "./host.js";
import { followLives } from "./lives.js";
import { makePlaces } from "./places.js";
import { commandOf, processesWith, signal } from "./processes.js";
import { openRedis } from "./redis.js";

/**
 * @typedef {Awaited<ReturnType<typeof openWorld>>} World
 * @typedef {object} WorldOptions
 * @property {number} sessions of all hosts together
 * @property {number} hosts
 * @property {boolean} isEmbedded whether the daemon brings its Redis along
 * @property {number} seed of the platform's own faults
 * @property {string} path where programs are found
 */

const SECUTOOLS = fileURLToPath(new URL("../demo/secutools.js", import.meta.url));
/** How often a task may be begun. */
export const ATTEMPTS = 4;
const HOST_NAMES = ["one", "two"];
const POLL_MS = 50;
const END_TIMEOUT_MS = 10_000;

/** A whole queue in a directory of its own, and nothing in it that is anybody else's. @param {WorldOptions} options */
export async function openWorld({ sessions, hosts: hostCount, isEmbedded, seed, path }) {
  const places = makePlaces(mkdtempSync(join(tmpdir(), "ccl-chaos-")));
  const { dir, logs } = places;
  const env = { PATH: path, HOME: places.home, SHELL: "/bin/sh", LANG: "C.UTF-8" };
  const platform = await startPlatform(seed, logs.platform, path);
  const gateway = await openGateway(platform.url, logs.answers);
  const socket = join(places.redis, "redis.sock");
  const settings = settingsOf({ ...places, sessions: Math.ceil(sessions / hostCount), url: gateway.url });
  const redisSettings = isEmbedded ? {} : { redis: { url: socket } };
  const agentEnv = { CCL_QUEUE_AGENT_LOG: logs.agents, CCL_QUEUE_AGENT_WORK_MS: "200" };
  const hosts = HOST_NAMES.slice(0, hostCount).map((name) =>
    openHost({
      ...{ name, dir: join(dir, name), settings: { ...settings, ...redisSettings } },
      env: { ...env, ...agentEnv, SECUTOOLS_API_KEY: platform.key },
    }),
  );
  const ownRedis = { socket, dir: places.redis };
  const [first] = hosts;
  const where = isEmbedded && first !== undefined ? first.redis : ownRedis;
  const redis = openRedis({ ...where, log: join(dir, "redis.log"), isEmbedded, env });
  const lives = followLives(places);

  /** The processes of this world that run now, but for the platform. Redis writes over its environment. */
  const processes = () =>
    [...new Set([...processesWith("environ", dir), ...processesWith("cmdline", dir)])].filter(
      (pid) => pid !== platform.pid,
    );

  async function end() {
    lives.close();
    for (const host of hosts) await host.stop("SIGKILL");
    for (const host of hosts) await host.tmux("kill-server");
    await redis.kill();
    await gateway.close();
    await platform.close();
    for (const pid of processes()) signal(pid, "SIGKILL");
    while (processes().length > 0) await sleep(POLL_MS);
  }

  return {
    places,
    hosts,
    redis,
    platform,
    gateway,
    lives,

    /** Everything runs, and every daemon watches. */
    async start() {
      await redis.start();
      for (const host of hosts) host.start();
      for (const host of hosts) await host.untilStarted();
    },

    /** Waits until all of its processes are gone, but not for ever: returns those that are not. */
    async untilGone() {
      const deadline = performance.now() + END_TIMEOUT_MS;
      while (processes().length > 0 && performance.now() < deadline) await sleep(POLL_MS);
      return processes().map((pid) => `${pid} ${commandOf(pid)}`);
    },

    end,

    /** Nothing of it is left. */
    remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }),
  };
}

/** @param {{ projects: string, sessions: number, url: string }} world */
function settingsOf({ projects, sessions, url }) {
  return {
    dispatcher: { projects_dir: projects, poll_interval: "10s", cooldown: "1s" },
    pool: { autonomous: { min: sessions, max: sessions } },
    claude: {
      ...{ command: process.execPath, args: [AGENT, "--dangerously-skip-permissions"] },
      // An agent may be stopped for up to 20 s, which is no sign of a hang.
      ...{ attempts: ATTEMPTS, backoff: "500ms", timeout: "40s", attention_timeout: "10s" },
    },
    secutools: { url, poll_interval: "1s" },
    hosts: { gone_after: "30s" },
    server: { port: 0 },
  };
}

/** A process of its own, so that it can be stopped. @param {number} seed @param {string} log @param {string} path */
async function startPlatform(seed, log, path) {
  const args = ["--port", "0", "--seed", String(seed), "--log", log, "--delay", "0-3000"];
  const faults = ["--errors", "0.02", "--limits", "0.02", "--drops", "0.02"];
  const child = fork(SECUTOOLS, [...args, ...faults], { env: { PATH: path }, silent: true, detached: true });
  const [{ url, key }] = /** @type {[{ url: string, key: string }]} */ (await once(child, "message"));
  return {
    url,
    key,
    pid: child.pid ?? 0,
    async close() {
      if (child.exitCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
