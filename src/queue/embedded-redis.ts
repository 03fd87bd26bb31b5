import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { access, constants, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { socketPath } from "../core/socket-path.ts";
import { probe, type RedisAddress } from "./connection.ts";

const SERVERS = ["redis-server", "valkey-server"];
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * The Redis that ccl-queue brings along when no URL is configured: on a unix socket in the state directory,
 * nobody else's business, each write on disk before it is acknowledged. One left by a killed daemon is used again.
 */
export class EmbeddedRedis implements Service {
  readonly address: RedisAddress & { readonly socket: string };
  readonly #dir: string;
  readonly #environment: Readonly<Record<string, string>>;
  #started = false;

  /** @throws {QueueError} STATE_DIR_TOO_LONG */
  constructor(stateDir: string, environment: Readonly<Record<string, string>>) {
    this.#dir = join(stateDir, "redis");
    this.#environment = environment;
    this.address = { socket: socketPath(stateDir, "redis.sock") };
  }

  /** @throws {QueueError} REDIS_MISSING, REDIS_FAILED */
  async start(): Promise<void> {
    if (this.#started) return;
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    if ((await probe(this.address)) === null) await this.#launch();
    this.#started = true;
  }

  async stop(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    const pid = await probe(this.address);
    if (pid === null) return;
    signal(pid, "SIGTERM");
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (signal(pid, 0) && Date.now() < deadline) await sleep(10);
  }

  async #launch(): Promise<void> {
    const server = await findServer(this.#environment["PATH"] ?? "");
    const log = join(this.#dir, "redis.log");
    const output = openSync(log, "a", 0o600);
    // Detached: a Ctrl-C in the terminal is for the daemon, which then stops Redis last.
    const child = spawn(server, this.#arguments(), {
      detached: true,
      stdio: ["ignore", output, output],
      env: this.#environment,
    });
    child.unref();
    const exited = once(child, "exit").then(() => "exited" as const);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if ((await probe(this.address)) !== null) return;
      if ((await Promise.race([exited, sleep(10)])) === "exited") break;
    }
    throw new QueueError(`${server} did not start in ${this.#dir}`, {
      code: "REDIS_FAILED",
      hint: `its log is ${log}`,
    });
  }

  #arguments(): string[] {
    return [
      ...["--port", "0", "--unixsocket", this.address.socket, "--unixsocketperm", "700"],
      ...["--dir", this.#dir, "--daemonize", "no"],
      ...["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"],
    ];
  }
}

async function findServer(path: string): Promise<string> {
  for (const name of SERVERS) {
    for (const dir of path.split(delimiter)) {
      const file = join(dir, name);
      if (
        await access(file, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return file;
    }
  }
  throw new QueueError(`none of ${SERVERS.join(", ")} is installed`, {
    code: "REDIS_MISSING",
    hint: "install redis-server, or set redis.url or REDIS_URL",
  });
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
