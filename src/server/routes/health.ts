import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ERROR_CODES, QueueError } from "../../core/errors.ts";
import { answers } from "./answers.ts";
import type { ApiControls } from "./api-controls.ts";

/** How long an answer holds: everybody may ask, and each look costs a tmux command. */
const FRESH_MS = 1_000;

const healthRoute = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "health",
  summary: "Whether the daemon runs",
  tags: ["health"],
  security: [],
  responses: answers("It does.", z.object({ status: z.literal("ok"), name: z.literal("ccl-queue") })),
});

const readyRoute = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "readiness",
  summary: "Whether the daemon can work: Redis and tmux answer",
  tags: ["health"],
  security: [],
  responses: answers("It can.", z.object({ status: z.literal("ready") })),
});

/** What everybody may ask, and so tells nothing but yes or no. */
export function healthRoutes(controls: Pick<ApiControls, "ready">): OpenAPIHono {
  const routes = new OpenAPIHono();
  const ready = remembered(async () => await checkReady(controls));
  routes.openapi(healthRoute, (context) => context.json({ status: "ok", name: "ccl-queue" } as const, 200));
  routes.openapi(readyRoute, async (context) => {
    await ready();
    return context.json({ status: "ready" } as const, 200);
  });
  return routes;
}

/** @throws {QueueError} the same as `ready`, without what only operators may know */
async function checkReady(controls: Pick<ApiControls, "ready">): Promise<void> {
  try {
    await controls.ready();
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    throw new QueueError(ERROR_CODES[error.code], { code: error.code, cause: error });
  }
}

/** Asks once for all who ask at about the same time. */
function remembered(ask: () => Promise<void>): () => Promise<void> {
  let last: { readonly answer: Promise<void>; readonly atMs: number } | null = null;
  return async () => {
    if (last === null || performance.now() - last.atMs > FRESH_MS) last = { answer: ask(), atMs: performance.now() };
    await last.answer;
  };
}
