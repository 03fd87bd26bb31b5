import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { basename } from "node:path";
import { text as readText } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Where a request is held: before the platform sees it, or when the platform has answered it. */
type Where = "question" | "answer";

/** A proxy in front of a platform: it can hold what passes, so that a test meets an exact moment. */
export interface Gate {
  readonly url: string;
  /** From now on requests of this method wait. */
  hold(method: "GET" | "POST" | "DELETE", where: Where): void;
  /** How many requests wait there by now. */
  held(): number;
  /** Lets everything pass, also what waits, unless whoever asked is gone. */
  release(): void;
  /** From now on the platform seems to have lost this job. */
  forget(id: string): void;
  close(): Promise<void>;
}

/** Opens a gate on any free port of 127.0.0.1. */
export async function openGate(platform: string): Promise<Gate> {
  const holds = new Map<string, Where>();
  const waiting = new Set<() => void>();
  const forgotten = new Set<string>();

  async function waitAt(where: Where, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if (holds.get(incoming.method ?? "") !== where) return;
    await new Promise<void>((resolve) => {
      waiting.add(resolve);
      response.once("close", () => waiting.delete(resolve));
    });
  }

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readText(incoming);
    await waitAt("question", incoming, response);
    if (forgotten.has(basename(incoming.url ?? ""))) response.writeHead(404).end();
    if (response.destroyed || response.writableEnded) return;
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? "/", platform), { method, headers, agent: false });
    response.once("close", () => onward.destroy());
    onward.end(body);
    const [answer]: IncomingMessage[] = await once(onward, "response");
    if (answer === undefined) return;
    await waitAt("answer", incoming, response);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    await pipeline(answer, response);
  }

  const server = createServer((incoming, response) => {
    // A platform that cuts the connection, and a client that is gone, look the same on the other side.
    pass(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gate has no port");

  return {
    url: `http://127.0.0.1:${address.port}`,
    hold: (method, where) => holds.set(method, where),
    held: () => waiting.size,
    release() {
      holds.clear();
      for (const go of waiting) go();
      waiting.clear();
    },
    forget: (id) => forgotten.add(id),
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
