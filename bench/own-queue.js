import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/**
 * Starts the program itself (`ccl-queue start` of dist/) in a sandbox, with its embedded Redis and one session.
 * Wait for its step "started"; stop it in any case.
 * @param {import("./sandbox.js").Sandbox} sandbox
 * @param {string[]} agent the command that stands for `claude`
 * @param {AbortSignal} signal
 */
export function startQueue(sandbox, [command, ...args], signal) {
  const { dir, env, socket } = sandbox;
  const state = join(dir, "state");
  const inbox = join(dir, "projects", "alpha", ".agent-queue", "inbox");
  const config = join(dir, "ccl-queue.yaml");
  mkdirSync(inbox, { recursive: true });
  const settings = {
    state_dir: state,
    tmux: { socket_name: socket },
    // The agent ends before it takes a prompt: its session must not rest for that.
    dispatcher: { projects_dir: join(dir, "projects"), cooldown: "1ms" },
    pool: { autonomous: { min: 1, max: 1 } },
    claude: { command, args, attempts: 1 },
  };
  writeFileSync(config, JSON.stringify(settings)); // which is YAML too

  // Detached: a Ctrl-C is for the benchmark, which then stops the daemon in its turn.
  const daemon = spawn(process.execPath, [MAIN, "start", "--config", config], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(daemon, "exit");
  const steps = readLog(daemon.stdout);
  return {
    inbox,
    /** Waits for the daemon to log a step: "started", or the type of a task's event. @param {string} type */
    step: async (type) => {
      const next = once(steps, type, { signal }).then(() => true);
      if (!(await Promise.race([next, exited.then(() => false)]))) throw new Error("ccl-queue ended by itself");
    },
    stop: async () => {
      daemon.kill("SIGTERM");
      await exited;
      await shutdownRedis(join(state, "redis.sock"));
    },
  };
}

/** @param {NodeJS.ReadableStream} log JSON lines */
function readLog(log) {
  const steps = new EventEmitter();
  createInterface(log).on("line", (line) => {
    const { event, msg } = JSON.parse(line);
    if (event !== undefined) steps.emit(event.type);
    else if (String(msg).startsWith("watching ")) steps.emit("started");
  });
  return steps;
}

/** For a daemon that was killed: otherwise its Redis is gone already. @param {string} path */
async function shutdownRedis(path) {
  const redis = connect(path, () => redis.end("SHUTDOWN NOSAVE\r\n"));
  redis.on("error", () => {}).resume();
  await new Promise((resolve) => redis.on("close", resolve));
}
