import type { Context } from "hono";
import { type ErrorCode, QueueError } from "../core/errors.ts";

const TYPE = { "content-type": "application/problem+json" };

/** The status of an answer that an error leads to; 500 for those that are our own fault. */
const STATUS = new Map<ErrorCode, 404 | 409 | 503>([
  ["TASK_UNKNOWN", 404],
  ["TASK_AMBIGUOUS", 409],
  ["TMUX_FAILED", 503],
  ["TMUX_MISSING", 503],
]);

/** An answer that says what is wrong, as RFC 9457 has it, with our code. */
export function problem(
  context: Context,
  status: 401 | 403 | 404 | 409 | 500 | 503,
  code: ErrorCode,
  detail: string,
  hint: string | null = null,
): Response {
  const body = { type: "about:blank", title: code, status, code, detail, ...(hint === null ? {} : { hint }) };
  return context.body(JSON.stringify(body), status, TYPE);
}

/** The same for an error that was thrown. What nobody foresaw is told to the log, not to the client. */
export function problemOf(context: Context, error: unknown): Response {
  if (!(error instanceof QueueError))
    return problem(context, 500, "INTERNAL_ERROR", "something went wrong; the log says what");
  return problem(context, STATUS.get(error.code) ?? 500, error.code, error.message, error.hint);
}
