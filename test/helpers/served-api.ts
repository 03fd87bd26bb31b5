import { once } from "node:events";
import { type OutgoingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import { getRequestListener } from "@hono/node-server";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { type ApiOptions, createApi } from "../../src/server/api.ts";
import { Attempts } from "../../src/server/attempts.ts";
import { guard } from "../../src/server/guard.ts";
import { HttpServer, type HttpServerOptions } from "../../src/server/http-server.ts";
import { createLogin } from "../../src/server/login.ts";
import { controlsThat, quietParts } from "./api-controls.ts";

export interface ServedOptions extends Partial<Omit<ApiOptions, "onError" | "guard" | "login">> {
  readonly token?: string | null;
  readonly limits?: HttpServerOptions["limits"];
}

export interface Question {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface ServedApi {
  readonly server: HttpServer;
  /** What went wrong in a way that nobody foresaw, and addresses that were limited. */
  readonly errors: unknown[];
  /** A request with exactly these headers. With `transfer-encoding: chunked` its body has no length. */
  ask(path: string, question?: Question): Promise<Answer>;
  /** `404 NOT_FOUND`, or the status alone. */
  says(path: string, question?: Question): Promise<string>;
  /** What comes back for these bytes until the server closes. */
  raw(bytes: string | Buffer): Promise<string>;
}

const answered = z.object({ statusCode: z.number(), headers: z.record(z.string(), z.unknown()) });
const coded = z.object({ status: z.number(), code: z.string() });

/** The API with the guard and the login that belong to it, on a free port until the test is over. */
export async function serveApi(options: ServedOptions = {}): Promise<ServedApi> {
  const { token = null, limits, controls = controlsThat({}), ...rest } = options;
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const attempts = new Attempts({ onLimited: onError });
  const api = createApi({
    ...quietParts(),
    ...rest,
    controls,
    guard: guard({ host: "127.0.0.1", token, attempts }),
    login: createLogin({ token, attempts }),
    onError,
  });
  const listener = getRequestListener(api.fetch, { overrideGlobalObjects: false });
  const more = limits === undefined ? {} : { limits };
  const server = new HttpServer({ host: "127.0.0.1", port: 0, token, listener, ...more });
  onTestFinished(async () => await server.stop());
  await server.start();
  const port = Number(new URL(server.url).port);

  const ask: ServedApi["ask"] = async (path, { method = "GET", headers = {}, body } = {}) => {
    const asked = request({ host: "127.0.0.1", port, path, method, headers });
    // The server may answer, and close, before it has all of it.
    asked.on("error", () => {});
    asked.end(body);
    const [response] = await once(asked, "response");
    const read = answered.parse({ statusCode: response.statusCode, headers: response.headers });
    const text = await readText(response);
    // What is still being sent would meet a server that has stopped.
    if (!asked.writableFinished) asked.destroy();
    return { status: read.statusCode, headers: read.headers, body: text };
  };
  return {
    server,
    errors,
    ask,
    says: async (path, question) => {
      const { status, body } = await ask(path, question);
      const read = coded.safeParse(body.startsWith("{") ? JSON.parse(body) : null);
      return read.success && read.data.status === status ? `${status} ${read.data.code}` : String(status);
    },
    raw: async (bytes) => {
      const socket = connect(port, "127.0.0.1");
      onTestFinished(() => void socket.destroy());
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("error", () => {});
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write(bytes);
      await closed;
      return Buffer.concat(chunks).toString("latin1");
    },
  };
}
