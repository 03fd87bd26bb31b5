import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { isSystemError, QueueError } from "./core/errors.ts";
import type { Service } from "./core/service.ts";
import { socketPath } from "./core/socket-path.ts";

/** This host's place in the workspace: the name it has for ever, and the proof that only one daemon uses it. */
export class Host implements Service {
  readonly #stateDir: string;
  readonly #socket: string;
  #server: Server | null = null;
  #id = "";

  /** @throws {QueueError} STATE_DIR_TOO_LONG */
  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.#socket = socketPath(stateDir, "daemon.sock");
  }

  /** The host's name in Redis, once started. It outlives restarts: the next daemon here owns this one's jobs. */
  get id(): string {
    return this.#id;
  }

  /** @throws {QueueError} ALREADY_RUNNING */
  async start(): Promise<void> {
    if (this.#server !== null) return;
    await mkdir(this.#stateDir, { recursive: true, mode: 0o700 });
    this.#server = (await listen(this.#socket)) ?? (await this.#listenAfterCrash());
    this.#id = await this.#readId();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  /** A killed daemon leaves its socket behind, with nobody to answer. */
  async #listenAfterCrash(): Promise<Server> {
    if (!(await answers(this.#socket))) {
      await rm(this.#socket, { force: true });
      const server = await listen(this.#socket);
      if (server !== null) return server;
    }
    throw new QueueError(`another ccl-queue daemon uses ${this.#stateDir}`, {
      code: "ALREADY_RUNNING",
      hint: "stop it first, or give this one its own state_dir, workspace and pool",
    });
  }

  async #readId(): Promise<string> {
    const file = join(this.#stateDir, "host-id");
    const known = await readFile(file, "utf8").catch(() => "");
    if (known.trim() !== "") return known.trim();
    const id = `${hostname()}-${randomBytes(3).toString("hex")}`;
    await writeFile(file, `${id}\n`, { mode: 0o600 });
    return id;
  }
}

/** null when the path is taken. */
async function listen(path: string): Promise<Server | null> {
  const server = createServer((connection) => connection.destroy());
  return await new Promise((resolve, reject) => {
    server.once("listening", () => resolve(server));
    server.once("error", (error) => (isSystemError(error, "EADDRINUSE") ? resolve(null) : reject(error)));
    server.listen(path);
  });
}

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => resolve(true));
    connection.once("error", () => resolve(false));
    connection.once("close", () => connection.destroy());
  });
}
