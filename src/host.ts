import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { type ErrorCode, ignoreMissing, isSystemError, QueueError } from "./core/errors.ts";
import type { Service } from "./core/service.ts";
import { socketPath } from "./core/socket-path.ts";

/**
 * This host's place in the workspace: the name it has for ever, and the proof that only one daemon uses it, which is
 * the socket that the command line speaks to.
 */
export class Host implements Service {
  readonly #stateDir: string;
  readonly #socket: string;
  #server: Server | null = null;
  #listener: RequestListener = starting;
  #id = "";

  /** @throws {QueueError} STATE_DIR_TOO_LONG */
  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.#socket = daemonSocket(stateDir);
  }

  /** The host's name in Redis, once started. It outlives restarts: the next daemon here owns this one's jobs. */
  get id(): string {
    return this.#id;
  }

  /** @throws {QueueError} ALREADY_RUNNING */
  async start(): Promise<void> {
    if (this.#server !== null) return;
    await mkdir(this.#stateDir, { recursive: true, mode: 0o700 });
    this.#server = (await this.#listen()) ?? (await this.#listenAfterCrash());
    this.#id = await this.#readId();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Who answers on the socket. Only the daemon's own user can reach it. */
  serve(listener: RequestListener): void {
    this.#listener = listener;
  }

  /** A killed daemon leaves its socket behind, with nobody to answer. */
  async #listenAfterCrash(): Promise<Server> {
    if (!(await answers(this.#socket)) && (await this.#clearAway())) {
      const server = await this.#listen();
      if (server !== null) return server;
    }
    throw new QueueError(`another ccl-queue daemon uses ${this.#stateDir}`, {
      code: "ALREADY_RUNNING",
      hint: "stop it first, or give this one its own state_dir, workspace, pool and server.port",
    });
  }

  /** Removes the dead socket. False when it is another daemon's that was as quick as we are: that one gets it back. */
  async #clearAway(): Promise<boolean> {
    const aside = socketPath(this.#stateDir, `${randomBytes(3).toString("hex")}.sock`);
    await rename(this.#socket, aside).catch(ignoreMissing);
    if (await answers(aside)) {
      await rename(aside, this.#socket);
      return false;
    }
    await rm(aside, { force: true });
    return true;
  }

  /** null when the path is taken. */
  async #listen(): Promise<Server | null> {
    const server = createServer((request, response) => this.#listener(request, response));
    const listens = await new Promise<boolean>((resolve, reject) => {
      server.once("listening", () => resolve(true));
      server.once("error", (error) => (isSystemError(error, "EADDRINUSE") ? resolve(false) : reject(error)));
      server.listen(this.#socket);
    });
    if (!listens) return null;
    // The directory may have been there before, and be open to others.
    await chmod(this.#socket, 0o600).catch(ignoreMissing);
    return server;
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

/** The socket of the daemon that uses a state directory. @throws {QueueError} STATE_DIR_TOO_LONG */
export function daemonSocket(stateDir: string): string {
  return socketPath(stateDir, "daemon.sock");
}

/** Answers while the daemon starts. */
export const starting: RequestListener = (_request, response) => {
  response.writeHead(503, { "content-type": "application/problem+json" });
  const code: ErrorCode = "DAEMON_STARTING";
  response.end(JSON.stringify({ code, detail: "the daemon is starting" }));
};

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => resolve(true));
    connection.once("error", () => resolve(false));
    connection.once("close", () => connection.destroy());
  });
}
