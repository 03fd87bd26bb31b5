import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openSandbox } from "../sandbox.js";

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));
const MAIN = path("../../dist/main.js");
const AGENT = path("../../demo/agent.js");
/** How long jobs and runs are kept. */
const KEPT_S = 10;
/** How many tasks wait for a session at most. */
const AHEAD = 30;
const POLL_MS = 100;
/** What is kept no longer is gone after this, with the time between two looks of the daemon. */
const REST_MS = KEPT_S * 1_500;

/**
 * What a daemon holds at one moment.
 * @typedef {{ done: number, rssMiB: number, heapMiB: number, handles: number, timers: number, files: number, keys: number, runs: number }} Sample
 */

/** A daemon of its own with so many sessions. Close it in any case. @param {number} sessions */
export async function openMill(sessions) {
  const sandbox = openSandbox();
  const { dir } = sandbox;
  const state = join(dir, "state");
  const project = join(dir, "projects", "alpha", ".agent-queue");
  const inbox = join(project, "inbox");
  mkdirSync(inbox, { recursive: true });
  const config = join(dir, "ccl-queue.yaml");
  const settings = {
    state_dir: state,
    tmux: { socket_name: sandbox.socket },
    dispatcher: { projects_dir: join(dir, "projects") },
    pool: { autonomous: { min: sessions, max: sessions } },
    claude: { command: process.execPath, args: [AGENT, "--dangerously-skip-permissions"] },
    retention: { jobs: `${KEPT_S}s`, runs: `${KEPT_S}s` },
    server: { port: 0 },
  };
  writeFileSync(config, JSON.stringify(settings)); // which is YAML too
  const agents = join(dir, "agents.jsonl");
  const env = { ...sandbox.env, CCL_QUEUE_AGENT_WORK_MS: "1", CCL_QUEUE_AGENT_LOG: agents };
  // Detached: a Ctrl-C is for the benchmark, which then stops the daemon in its turn.
  const daemon = spawn(process.execPath, [MAIN, "start", "--config", config], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(daemon, "exit");
  const url = await addressOf(daemon.stdout);
  let dropped = 0;

  /** @param {number} count */
  function drop(count) {
    for (; dropped < count; dropped += 1) {
      const draft = join(project, "draft");
      writeFileSync(draft, `Task ${dropped}.\n`);
      renameSync(draft, join(inbox, `task-${dropped}.md`));
    }
  }

  /** @returns {Promise<Sample>} */
  async function look() {
    const text = await (await fetch(`${url}/metrics`)).text();
    const metric = (/** @type {string} */ name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
    const MiB = 2 ** 20;
    return {
      done: countIn(join(project, "done")),
      rssMiB: metric("process_resident_memory_bytes") / MiB,
      heapMiB: metric("nodejs_heap_size_used_bytes") / MiB,
      handles: metric("nodejs_active_resources_total"),
      timers: metric('nodejs_active_resources\\{type="Timeout"\\}'),
      files: readdirSync(`/proc/${daemon.pid}/fd`).length,
      keys: Number((await askRedis(join(state, "redis.sock"), "DBSIZE")).replace(":", "")),
      runs: countIn(join(state, "runs")),
    };
  }

  return {
    look,
    drop,
    done: () => countIn(join(project, "done")),
    failed: () => countIn(join(project, "failed")),
    waiting: () => countIn(inbox),
    /** What each agent was told first, one for each prompt that was taken. */
    taken: () => linesOf(agents).flatMap(({ event, firstLine }) => (event === "submit" ? [firstLine] : [])),
    /** Kills the daemon's Redis, once it answers. */
    async killRedis() {
      const socket = join(state, "redis.sock");
      for (;;) {
        const [, pid] = /process_id:(\d+)/.exec(await askRedis(socket, "INFO server").catch(() => "")) ?? [];
        if (pid !== undefined) return process.kill(Number(pid), "SIGKILL");
        await sleep(POLL_MS);
      }
    },
    /** Has so many tasks done since the start. @param {number} count */
    async work(count) {
      for (let done = 0; done < count; await sleep(POLL_MS)) {
        if (daemon.exitCode !== null) throw new Error("ccl-queue ended by itself");
        if (countIn(join(project, "failed")) > 0) throw new Error("a task has failed");
        done = countIn(join(project, "done"));
        drop(Math.min(count, done + sessions + AHEAD));
      }
    },
    /** Waits until nothing that is over has to be kept, and lets one more task end: jobs go when others end. */
    async rest() {
      await sleep(REST_MS);
      await this.work(dropped + 1);
      return await look();
    },
    async close() {
      daemon.kill("SIGTERM");
      await exited;
      await sandbox.close();
    },
  };
}

/** Where the daemon's server answers. @param {import("node:stream").Readable} log */
async function addressOf(log) {
  /** @type {string} */
  const url = await new Promise((resolve) => {
    log.on("data", (chunk) => {
      const [found] = /http:[^"\s]+/.exec(String(chunk)) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  return url;
}

/** @param {string} directory */
function countIn(directory) {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith(".")).length;
  } catch {
    return 0;
  }
}

/** What agents noted. @param {string} file @returns {{ event: string, firstLine: string }[]} */
function linesOf(file) {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** @param {string} socket @param {string} command */
async function askRedis(socket, command) {
  const redis = connect(socket);
  redis.end(`${command}\r\n`);
  const [answer] = await once(redis, "data");
  redis.destroy();
  return String(answer).trim();
}
