import { request } from "node:http";
import { z } from "zod";
import type { Config } from "../config/config.ts";
import { ERROR_CODES, type ErrorCode, isSystemError, QueueError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { daemonSocket } from "../host.ts";
import { configOf } from "./find-config.ts";

const problem = z.object({ code: z.string(), detail: z.string(), hint: z.string().optional() });

/** For what is answered at once, unless something is wrong. */
const TIMEOUT_MS = 10_000;
/** For what goes through all tasks: thousands of files are moved one by one. */
export const ALL_TIMEOUT_MS = 600_000;

export interface Question {
  /** Sent as JSON. */
  readonly body?: object;
  /** How long the answer may take. */
  readonly timeoutMs?: number;
}

/** The daemon that a verb speaks with. Every question throws what {@link askDaemon} does. */
export interface Daemon {
  readonly config: Config;
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, schema: z.ZodType<T>, question?: Question): Promise<T>;
}

/** The daemon of a configuration. @throws {QueueError} as configOf */
export async function daemonOf(named: string | undefined): Promise<Daemon> {
  const config = await configOf(named);
  return {
    config,
    get: async (path, schema) => await askDaemon(config.stateDir, "GET", path, schema),
    post: async (path, schema, question) => await askDaemon(config.stateDir, "POST", path, schema, question),
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks the daemon of a state directory, by its socket.
 * @throws {QueueError} DAEMON_NOT_RUNNING, DAEMON_SILENT, DAEMON_BAD_ANSWER, or what the daemon itself answers
 */
export async function askDaemon<T>(
  stateDir: string,
  method: "GET" | "POST",
  path: string,
  schema: z.ZodType<T>,
  { body: sent, timeoutMs = TIMEOUT_MS }: Question = {},
): Promise<T> {
  const text = sent === undefined ? null : JSON.stringify(sent);
  const asked = send({ socketPath: daemonSocket(stateDir), method, path }, text, timeoutMs);
  const { status, body } = await asked.catch((error: unknown) => {
    throw noAnswer(error, stateDir, timeoutMs);
  });
  if (status < 400) return readAnswer(body, schema, `${method} ${path}`);
  const { code, detail, hint } = readAnswer(body, problem, `${method} ${path}`);
  throw new QueueError(detail, {
    code: isCode(code) ? code : "INTERNAL_ERROR",
    ...(hint === undefined ? {} : { hint }),
  });
}

interface Place {
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
}

async function send(place: Place, body: string | null, timeoutMs: number): Promise<Answer> {
  const headers = { host: "localhost", ...(body === null ? {} : { "content-type": "application/json" }) };
  return await new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = request({ ...place, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body ?? "");
  });
}

function noAnswer(error: unknown, stateDir: string, timeoutMs: number): unknown {
  if (isSystemError(error, "ENOENT", "ECONNREFUSED")) {
    return new QueueError(`no daemon answers in ${stateDir}`, {
      code: "DAEMON_NOT_RUNNING",
      hint: "start it: ccl-queue start",
      cause: error,
    });
  }
  if (isSystemError(error, "ABORT_ERR", "ECONNRESET")) {
    const what = isSystemError(error, "ABORT_ERR") ? `does not answer within ${timeoutMs / 1_000} s` : "hung up";
    return new QueueError(`the daemon in ${stateDir} ${what}`, {
      code: "DAEMON_SILENT",
      hint: "its log says what it does; `ccl-queue doctor` looks at what it needs",
      cause: error,
    });
  }
  return error;
}

function readAnswer<T>(body: string, schema: z.ZodType<T>, what: string): T {
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
  throw new QueueError(`the daemon's answer to ${what} is not understood${where}`, {
    code: "DAEMON_BAD_ANSWER",
    hint: "it may be of another version: restart it",
    cause: parsed.error,
  });
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}
