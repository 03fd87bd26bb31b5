import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, Hono, MiddlewareHandler } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { BlankEnv } from "hono/types";
import type { EventStreams } from "./event-streams.ts";
import { inTime, limitBody, onlyJson, readOnlyMode } from "./limits.ts";
import type { LiveEvents } from "./live-events.ts";
import { describeApi } from "./openapi.ts";
import { type Problem, problem, problemOf, refuseInvalid } from "./problem.ts";
import { wantsPage } from "./request.ts";
import type { ApiControls } from "./routes/api-controls.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { hostRoutes } from "./routes/hosts.ts";
import { type MetricsSource, metricsRoutes } from "./routes/metrics.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { statusRoutes } from "./routes/status.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { securityHeaders } from "./security-headers.ts";

export interface ApiOptions {
  readonly controls: ApiControls;
  readonly events: LiveEvents;
  /** The streams that are open, of the API and of pages. */
  readonly streams: EventStreams;
  readonly metrics: MetricsSource;
  /** Lets a request in or answers it. */
  readonly guard: MiddlewareHandler;
  /** Where people log in, which they may in read-only mode, too. */
  readonly login?: Hono;
  /** Refuse whatever changes something. */
  readonly readOnly?: boolean;
  /** Pages for people, by the path below which they lie. */
  readonly pages?: Readonly<Record<string, Hono>>;
  /** Shows a person what is wrong. */
  readonly problemPage?: (context: Context, problem: Problem) => Response | Promise<Response>;
  /** How long a question may take to be answered. */
  readonly patienceMs?: number;
  /** Told of what nobody foresaw. */
  readonly onError: (error: unknown) => void;
}

/** Shorter than the command line waits. */
const PATIENCE_MS = 8_000;

/** The HTTP API and the pages. Whether the daemon lives and can work may be asked by everyone. */
export function createApi(options: ApiOptions): Hono {
  const {
    controls,
    events,
    streams,
    metrics,
    guard,
    login,
    readOnly = false,
    pages = {},
    patienceMs = PATIENCE_MS,
    onError,
  } = options;
  const api = new OpenAPIHono<BlankEnv>({ defaultHook: refuseInvalid });
  const answer = async (context: Context, what: Problem): Promise<Response> =>
    options.problemPage !== undefined && wantsPage(context)
      ? await options.problemPage(context, what)
      : problem(context, what.status, what.code, what.detail, what.hint);
  let description: object | null = null;
  api.use(securityHeaders, inTime(patienceMs));
  api.route("/", healthRoutes(controls));
  api.use(guard, limitBody);
  if (login !== undefined) api.route("/", login);
  if (readOnly) api.use(readOnlyMode);
  api.use(methodNotAllowed({ app: api, onMethodNotAllowed: refuseMethod }));
  api.use("/api/*", onlyJson);
  api.route("/", statusRoutes(controls));
  api.route("/", hostRoutes(controls));
  api.route("/", taskRoutes(controls));
  api.route("/", sessionRoutes(controls));
  api.route("/", eventRoutes(events, streams));
  api.route("/", metricsRoutes(metrics));
  api.get("/openapi.json", (context) => {
    description ??= describeApi(api);
    return context.json(description);
  });
  for (const [path, page] of Object.entries(pages)) api.route(path, page);
  api.notFound(
    async (context) =>
      await answer(context, { status: 404, code: "NOT_FOUND", detail: `there is no ${context.req.path}`, hint: null }),
  );
  api.onError(async (error, context) => {
    const what = problemOf(error);
    if (what.status === 500) onError(error);
    return await answer(context, what);
  });
  return api;
}

function refuseMethod(context: Context, methods: readonly string[]): Response {
  context.header("allow", methods.join(", "));
  return problem(context, 405, "METHOD_NOT_ALLOWED", `${context.req.path} takes ${methods.join(", ")}`);
}
