import type { Context, MiddlewareHandler } from "hono";
import { QueueError } from "../core/errors.ts";
import { problem } from "./problem.ts";
import { hasBody, isChange } from "./request.ts";

/** A task's file may have 1 MiB; as JSON it takes somewhat more. */
const TASK_BYTES = 1.5 * 1_048_576;
const BYTES = 16 * 1_024;
/** Where whole tasks are sent. */
const TASKS = ["/api/tasks", "/tasks"];

/** Refuses bodies that are too long, before they are read, and those without a length as soon as they are. */
export const limitBody: MiddlewareHandler = async (context, next) => {
  if (!hasBody(context)) return await next();
  const maxBytes = TASKS.includes(context.req.path) ? TASK_BYTES : BYTES;
  const hasLength = context.req.header("transfer-encoding") === undefined;
  const isShort = hasLength
    ? Number(context.req.header("content-length")) <= maxBytes
    : await readUpTo(context, maxBytes).catch((cause: unknown) => {
        throw new QueueError("the body did not come whole", { code: "REQUEST_INVALID", cause });
      });
  if (isShort) return await next();
  return problem(context, 413, "BODY_TOO_LARGE", `a body may have ${maxBytes} bytes here at most`);
};

/** Reads the body, so that nobody else waits for what does not end. False when it is longer. */
async function readUpTo(context: Context, maxBytes: number): Promise<boolean> {
  const { url, method, headers, body } = context.req.raw;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) return false;
    chunks.push(chunk);
  }
  context.req.raw = new Request(url, { method, headers, body: Buffer.concat(chunks) });
  return true;
}

/** Says so when a question is not answered in time: Redis may be away. What changes something is left to end. */
export function inTime(patienceMs: number): MiddlewareHandler {
  return async (context, next) => {
    if (isChange(context)) return await next();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const silence = new QueueError("no answer came in time", {
        code: "DAEMON_SILENT",
        hint: "see whether Redis and tmux answer: ccl-queue doctor",
      });
      timer = setTimeout(() => reject(silence), patienceMs);
    });
    await Promise.race([next(), late]).finally(() => clearTimeout(timer));
  };
}

/** Takes commands as JSON or without a body: what a form of any page can send is neither. */
export const onlyJson: MiddlewareHandler = async (context, next) => {
  const type = context.req.header("content-type");
  const isTaken = type === undefined ? !hasBody(context) : /^application\/json(?:;|$)/i.test(type);
  if (!isChange(context) || isTaken) return await next();
  return problem(context, 415, "MEDIA_TYPE_REFUSED", "send JSON: Content-Type: application/json");
};

/** Refuses whatever may change something. */
export const readOnlyMode: MiddlewareHandler = async (context, next) => {
  if (!isChange(context)) return await next();
  return problem(context, 403, "READ_ONLY", "this server changes nothing (server.read_only)");
};
