import { once } from "node:events";
import { createServer, request } from "node:http";
import { pipeline } from "node:stream";
import { note } from "./jsonl.js";

/**
 * open: what comes is passed on; errors, limits: it is answered with 503 or 429 and not passed on; resets: the
 * connection ends before that; cuts: it ends when the platform has answered; slow: the answer is held back.
 * @typedef {"open" | "errors" | "limits" | "resets" | "cuts" | "slow"} Mode
 * @typedef {Awaited<ReturnType<typeof openGateway>>} Gateway
 */

const SLOW_MS = 3_000;

/**
 * Stands between the daemons and the platform, and notes which answers to submissions have arrived.
 * @param {string} platform its address
 * @param {string} log
 */
export async function openGateway(platform, log) {
  /** @type {Mode} */
  let mode = "open";

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} outgoing */
  function serve(incoming, outgoing) {
    if (mode === "resets") return void incoming.socket.destroy();
    if (mode === "errors") return void outgoing.writeHead(503).end();
    if (mode === "limits") return void outgoing.writeHead(429, { "retry-after": "1" }).end();
    const { method, headers, url = "/" } = incoming;
    const onward = request(new URL(url, platform), { method, headers }, (answer) => {
      if (mode === "cuts") return void incoming.socket.destroy();
      outgoing.once("finish", () => noteAnswer(incoming, answer.statusCode));
      setTimeout(() => pass(answer, outgoing), mode === "slow" ? SLOW_MS : 0);
    });
    onward.on("error", () => incoming.socket.destroy());
    outgoing.once("close", () => onward.destroy());
    incoming.pipe(onward);
  }

  /** Whoever asked may be gone by now. @param {import("node:http").IncomingMessage} answer @param {import("node:http").ServerResponse} outgoing */
  function pass(answer, outgoing) {
    if (outgoing.destroyed) return;
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, outgoing, () => {});
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {number | undefined} status */
  function noteAnswer({ method, headers }, status) {
    if (method === "POST") note(log, { at: Date.now(), key: headers["idempotency-key"], status });
  }

  const server = createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gateway has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,

    /** @param {Mode} next */
    set(next) {
      mode = next;
    },

    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
