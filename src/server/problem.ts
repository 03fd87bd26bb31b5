import type { Hook } from "@hono/zod-openapi";
import type { Context, Env } from "hono";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { type ErrorCode, QueueError } from "../core/errors.ts";
import { oneLine } from "../core/one-line.ts";

/** A request's own words may be part of it. */
const MAX_DETAIL = 1_000;
const TYPE = { "content-type": "application/problem+json" };

type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503;

/** The status of an answer that an error leads to; 500 for those that are our own fault. */
const STATUS = new Map<ErrorCode, ProblemStatus>([
  ["REQUEST_INVALID", 400],
  ["BOARD_REFUSED", 403],
  ["MEDIA_TYPE_REFUSED", 415],
  ["TASK_UNKNOWN", 404],
  ["TASK_AMBIGUOUS", 409],
  ["TASK_NOT_OVER", 409],
  ["TASK_INVALID", 422],
  ["PROJECT_UNKNOWN", 404],
  ["PROJECT_AMBIGUOUS", 409],
  ["SESSION_UNKNOWN", 404],
  ["HOST_UNKNOWN", 404],
  ["HOST_BUSY", 409],
  ["EVENTS_LIMITED", 503],
  ["DAEMON_SILENT", 503],
  ["REDIS_UNREACHABLE", 503],
  ["TMUX_FAILED", 503],
  ["TMUX_MISSING", 503],
]);

/** What stands in an answer that says what is wrong, as RFC 9457 has it, with our code. */
export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string().optional(),
  })
  .meta({ id: "Problem" });

/** What is wrong with a request, or with us. */
export interface Problem {
  readonly status: ProblemStatus;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string | null;
}

/** An answer that says what is wrong. */
export function problem(
  context: Context,
  status: ProblemStatus,
  code: ErrorCode,
  detail: string,
  hint: string | null = null,
): Response {
  const body = { type: "about:blank", title: code, status, code, detail, ...(hint === null ? {} : { hint }) };
  return context.body(JSON.stringify(body), status, TYPE);
}

/** What an error that was thrown comes to. What nobody foresaw is told to the log, not to the client. */
export function problemOf(error: unknown): Problem {
  const known = error instanceof HTTPException ? unreadable(error) : error;
  if (!(known instanceof QueueError))
    return { status: 500, code: "INTERNAL_ERROR", detail: "something went wrong; the log says what", hint: null };
  const { code, message, hint } = known;
  return { status: STATUS.get(code) ?? 500, code, detail: oneLine(message, MAX_DETAIL), hint };
}

/** What the router itself refuses: bodies that are not what they say they are. */
function unreadable(error: HTTPException): unknown {
  if (error.status === 400) return new QueueError("the body is not JSON", { code: "REQUEST_INVALID", cause: error });
  if (error.status !== 415) return error;
  return new QueueError("the body has to be JSON", { code: "MEDIA_TYPE_REFUSED", cause: error });
}

const PLACES: Readonly<Record<string, string>> = { json: "the body", query: "the query", param: "the path" };
const MAX_ISSUES = 5;

/** What each route does with a request that its schema does not allow. @throws {QueueError} REQUEST_INVALID */
export const refuseInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (result.success) return;
  const place = PLACES[result.target] ?? result.target;
  const issues = result.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const where = path.length === 0 ? place : `${path.join(".")} in ${place}`;
    return `${where}: ${message}`;
  });
  throw new QueueError(issues.join("; "), {
    code: "REQUEST_INVALID",
    hint: "/openapi.json says what each route takes",
  });
};
