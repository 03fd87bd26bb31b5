import { type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { access, constants, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { socketPath } from "../core/socket-path.ts";
import { probe, type RedisAddress } from "./connection.ts";

const SERVERS = ["redis-server", "valkey-server"];
const START_TIMEOUT_MS = 30_000;
/** How often a start is repeated in which somebody killed it. */
const MAX_STARTS = 5;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 10;
/** How often it is made sure that it lives, and so how soon one that died is started again. */
const WATCH_MS = 200;
/** How soon a start is tried again that failed. */
const RETRY_MS = 5_000;

/**
 * The Redis that ccl-queue brings along when no URL is configured: on a unix socket in the state directory,
 * nobody else's business, each write on disk before it is acknowledged. One left by a killed daemon is used again, and
 * one that dies is started again.
 */
export class EmbeddedRedis implements Service {
  readonly address: RedisAddress & { readonly socket: string };
  readonly #dir: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #onError: (error: unknown) => void;
  #pid: number | null = null;
  #hasExited = false;
  #wasKilled = false;
  #watch: NodeJS.Timeout | null = null;
  #launching: Promise<void> | null = null;

  /** @throws {QueueError} STATE_DIR_TOO_LONG */
  constructor(
    stateDir: string,
    environment: Readonly<Record<string, string>>,
    onError: (error: unknown) => void = () => {},
  ) {
    this.#dir = join(stateDir, "redis");
    this.#environment = environment;
    this.#onError = onError;
    this.address = { socket: socketPath(stateDir, "redis.sock") };
  }

  /** @throws {QueueError} REDIS_MISSING, REDIS_FAILED */
  async start(): Promise<void> {
    if (this.#pid !== null) return;
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    this.#pid = (await probe(this.address)) ?? (await this.#launch());
    this.#watchOver();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#watch ?? undefined);
    this.#watch = null;
    await this.#launching;
    const pid = this.#pid;
    this.#pid = null;
    if (pid === null || !terminate(pid)) return;
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    while (!this.#hasExited && (await this.#answers()) && performance.now() < deadline) await sleep(POLL_MS);
  }

  /** Looks again and again, for as long as there is a timer. */
  #watchOver(afterMs = WATCH_MS): void {
    this.#watch = setTimeout(() => {
      if (this.#pid !== null && isAlive(this.#pid)) return this.#watchOver();
      this.#launching = this.#relaunch();
    }, afterMs);
  }

  async #relaunch(): Promise<void> {
    const log = join(this.#dir, "redis.log");
    let waitMs = WATCH_MS;
    try {
      this.#onError(
        new QueueError("the Redis of the state directory ended, and is started again", {
          code: "REDIS_FAILED",
          hint: `its log is ${log}; agents go on`,
        }),
      );
      this.#pid = (await probe(this.address)) ?? (await this.#launch());
    } catch (error) {
      this.#onError(error);
      waitMs = RETRY_MS;
    }
    if (this.#watch !== null) this.#watchOver(waitMs);
  }

  /** Returns its process id once it answers. */
  async #launch(): Promise<number> {
    for (let starts = 1; ; starts += 1) {
      const pid = await this.#launchOnce();
      if (pid !== null) return pid;
      if (starts < MAX_STARTS && this.#wasKilled) continue;
      throw new QueueError(`redis did not start in ${this.#dir}`, {
        code: "REDIS_FAILED",
        hint: `its log is ${join(this.#dir, "redis.log")}`,
      });
    }
  }

  async #launchOnce(): Promise<number | null> {
    const server = await findServer(this.#environment["PATH"] ?? "");
    const output = openSync(join(this.#dir, "redis.log"), "a", 0o600);
    // Detached: a Ctrl-C in the terminal is for the daemon, which then stops Redis last.
    const options = {
      detached: true,
      stdio: ["ignore", output, output],
      env: this.#environment,
    } satisfies SpawnOptions;
    const child = spawn(server, this.#arguments(), options);
    closeSync(output);
    child.unref();
    this.#hasExited = false;
    this.#wasKilled = false;
    child.once("exit", (_code, killedBy) => {
      this.#hasExited = true;
      this.#wasKilled = killedBy !== null;
    });
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!this.#hasExited && performance.now() < deadline) {
      const pid = await probe(this.address);
      if (pid !== null) return pid;
      await sleep(POLL_MS);
    }
    return null;
  }

  async #answers(): Promise<boolean> {
    return (await probe(this.address)) !== null;
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
  const files = SERVERS.flatMap((name) => path.split(delimiter).map((dir) => join(dir, name)));
  for (const file of files) if (await isExecutable(file)) return file;
  throw new QueueError(`none of ${SERVERS.join(", ")} is installed`, {
    code: "REDIS_MISSING",
    hint: "install redis-server, or set redis.url or REDIS_URL",
  });
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function terminate(pid: number): boolean {
  return signal(pid, "SIGTERM");
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

/** False when there is no such process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
