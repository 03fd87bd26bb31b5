import { request } from "node:http";
import { z } from "zod";
import { ERROR_CODES, type ErrorCode, isSystemError, QueueError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { daemonSocket } from "../host.ts";

const problem = z.object({ code: z.string(), detail: z.string(), hint: z.string().optional() });

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks the daemon of a state directory, by its socket. @throws {QueueError} DAEMON_NOT_RUNNING, or what the daemon
 * itself answers
 */
export async function askDaemon<T>(
  stateDir: string,
  method: "GET" | "POST",
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const { status, body } = await send(daemonSocket(stateDir), method, path).catch((error: unknown) => {
    if (!isSystemError(error, "ENOENT", "ECONNREFUSED")) throw error;
    throw new QueueError(`no daemon answers in ${stateDir}`, {
      code: "DAEMON_NOT_RUNNING",
      hint: "start it: ccl-queue start",
      cause: error,
    });
  });
  if (status < 400) return schema.parse(parseJson(body));
  const { code, detail, hint } = problem.parse(parseJson(body));
  throw new QueueError(detail, {
    code: isCode(code) ? code : "INTERNAL_ERROR",
    ...(hint === undefined ? {} : { hint }),
  });
}

async function send(socketPath: string, method: string, path: string): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers: { host: "localhost" } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}
