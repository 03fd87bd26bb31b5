import { createServer, type RequestListener, type Server } from "node:http";
import { isSystemError, QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { type GuardOptions, isLoopback } from "./guard.ts";

export interface HttpServerOptions extends GuardOptions {
  /** 0 = any that is free. */
  readonly port: number;
  /** Who answers until somebody else is named. */
  readonly listener: RequestListener;
  /** How long a client may take; the defaults unless given. */
  readonly limits?: ServerLimits;
}

/** What a slow client may hold. All times are in ms. */
interface ServerLimits {
  /** For the headers of a request. */
  readonly headersMs: number;
  /** For the whole of a request. */
  readonly requestMs: number;
  /** From an answer to the next request. */
  readonly keepAliveMs: number;
  /** Without a byte in either direction; streams of events have a heartbeat. */
  readonly idleMs: number;
  readonly connections: number;
  /** How often the first two are looked at. */
  readonly checkMs: number;
}

const LIMITS: ServerLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 5_000,
  idleMs: 120_000,
  connections: 1_000,
  checkMs: 5_000,
};

/** The daemon's HTTP server. @throws {QueueError} SERVER_OPEN, SERVER_FAILED from start */
export class HttpServer implements Service {
  readonly #options: HttpServerOptions;
  #listener: RequestListener;
  #server: Server | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#listener = options.listener;
  }

  /** Who answers from now on. */
  serve(listener: RequestListener): void {
    this.#listener = listener;
  }

  /** Where it answers, once started. */
  get url(): string {
    const address = this.#server?.address();
    const port = typeof address === "object" && address !== null ? address.port : this.#options.port;
    const { host } = this.#options;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  async start(): Promise<void> {
    if (this.#server !== null) return;
    const { host, port, token } = this.#options;
    if (token === null && !isLoopback(host)) {
      throw new QueueError(`server.host is ${host}, which others can reach, and there is no token`, {
        code: "SERVER_OPEN",
        hint: "set CCL_QUEUE_TOKEN, or server.host to 127.0.0.1",
      });
    }
    const server = this.#create();
    await new Promise<void>((resolve, reject) => {
      server.once("listening", resolve);
      server.once("error", (error) => reject(notListening(error, host, port)));
      server.listen(port, host);
    });
    this.#server = server;
  }

  #create(): Server {
    const { headersMs, requestMs, keepAliveMs, idleMs, connections, checkMs } = this.#options.limits ?? LIMITS;
    const server = createServer(
      {
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: checkMs,
      },
      (request, response) => this.#listener(request, response),
    );
    server.setTimeout(idleMs);
    server.maxConnections = connections;
    return server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function notListening(cause: Error, host: string, port: number): QueueError {
  const why = isSystemError(cause, "EADDRINUSE") ? "somebody else uses it" : cause.message;
  return new QueueError(`the server cannot listen on ${host}:${port}: ${why}`, {
    code: "SERVER_FAILED",
    hint: "set server.host and server.port to an address of this machine that is free",
    cause,
  });
}
