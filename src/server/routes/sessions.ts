import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { screenView, sessionView } from "../../control/session-view.ts";
import { answers } from "./answers.ts";
import type { ApiControls } from "./api-controls.ts";

const tags = ["sessions"];

const listRoute = createRoute({
  method: "get",
  path: "/api/sessions",
  operationId: "listSessions",
  summary: "List the pool's sessions",
  tags,
  responses: answers("The range of the pool, each with its run.", z.object({ sessions: z.array(sessionView) })),
});

const screenRoute = createRoute({
  method: "get",
  path: "/api/sessions/{name}/screen",
  operationId: "showScreen",
  summary: "Show what stands on a session's screen",
  tags,
  request: { params: z.object({ name: z.string().min(1) }) },
  responses: answers("The text, its colours as ANSI sequences.", screenView),
});

/** The pool's sessions and their screens. */
export function sessionRoutes(controls: ApiControls): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(listRoute, async (context) => context.json({ sessions: await controls.sessions() }, 200));
  routes.openapi(screenRoute, async (context) =>
    context.json(await controls.screen(context.req.valid("param").name), 200),
  );
  return routes;
}
