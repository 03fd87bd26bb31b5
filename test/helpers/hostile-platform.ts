import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import type { Submission } from "../../src/workers/secutools/client.ts";

/** A request as it arrived. */
interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers the request with this index, or does something worse. */
export type Answer = (response: ServerResponse, index: number, request: Arrived) => void;

/** A server on 127.0.0.1 that may answer anything. */
export interface HostilePlatform {
  readonly url: string;
  /** In the order in which they arrived. */
  readonly requests: readonly Arrived[];
  /** Requests that are open now, and at once at most. */
  readonly inFlight: { readonly now: number; readonly max: number };
  /** Connections that were made so far, and how many are open. */
  readonly connections: { readonly made: number; readonly open: number };
  /** Twice is fine. */
  close(): Promise<void>;
}

export async function startHostilePlatform(answer: Answer): Promise<HostilePlatform> {
  const requests: Arrived[] = [];
  const connections = { made: 0, open: 0 };
  const inFlight = { now: 0, max: 0 };
  const server = createServer(async (incoming, response) => {
    inFlight.now += 1;
    inFlight.max = Math.max(inFlight.max, inFlight.now);
    response.once("close", () => {
      inFlight.now -= 1;
    });
    const { method = "", url: path = "", headers } = incoming;
    const request = { method, path, headers, body: await readText(incoming) };
    requests.push(request);
    answer(response, requests.length - 1, request);
  });
  // It is the client that ends a connection, and nobody does so for being idle.
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket) => {
    connections.made += 1;
    connections.open += 1;
    socket.once("close", () => {
      connections.open -= 1;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    connections,
    inFlight,
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers with JSON, or with a text as it is. */
export function send(
  response: ServerResponse,
  status: number,
  body: unknown = "",
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

export const SUBMISSION: Submission = {
  provider: "gemini",
  priority: "high",
  title: "A haiku",
  prompt: "Write a haiku über queues.",
  tags: ["poetry", "a b"],
  metadata: { project: "poems", task: "haiku.md" },
};
