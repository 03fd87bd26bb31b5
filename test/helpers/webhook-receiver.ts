import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A call as it came. */
interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a call is answered: with a status, with a redirect, or never. */
export type Answer = number | { readonly redirect: string } | "never";

export interface Receiver {
  /** With a path that is nobody's business. */
  readonly url: string;
  readonly origin: string;
  readonly calls: Call[];
  /** Calls that the caller broke off. */
  readonly brokenOff: () => number;
  close(): Promise<void>;
}

/** Somebody else's HTTP server: answers the nth call with the nth answer, and all later ones with the last. */
export async function startReceiver(...answers: readonly Answer[]): Promise<Receiver> {
  const calls: Call[] = [];
  let brokenOff = 0;
  const server = createServer(async (request, response) => {
    response.once("close", () => {
      if (!response.writableFinished) brokenOff += 1;
    });
    const { method = "", url: path = "", headers } = request;
    const answer = answers[Math.min(calls.length, answers.length - 1)] ?? 204;
    calls.push({ method, path, headers, body: await text(request) });
    if (answer === "never") return;
    if (typeof answer === "number") response.writeHead(answer).end();
    else response.writeHead(307, { location: answer.redirect }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${portOf(server.address())}`;
  return {
    url: `${origin}/hooks/T0KEN?key=s3cret`,
    origin,
    calls,
    brokenOff: () => brokenOff,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
