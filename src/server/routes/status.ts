import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { delegationStatusSchema } from "../../control/delegation-status.ts";
import { holdView } from "../../control/hold-view.ts";
import { overview } from "../../control/overview.ts";
import { repairSchema } from "../../control/repair.ts";
import { statusSchema } from "../../control/status.ts";
import { answers } from "./answers.ts";
import type { ApiControls } from "./api-controls.ts";

const statusAnswer = statusSchema.meta({ id: "Status" });
const tags = ["queue"];

const statusRoute = createRoute({
  method: "get",
  path: "/api/status",
  operationId: "status",
  summary: "How the queue stands",
  tags,
  responses: answers("The verdict, the hold, sessions, runs, queues and what is delegated.", statusAnswer),
});

const watchdogRoute = createRoute({
  method: "get",
  path: "/watchdog/status",
  operationId: "watchdogStatus",
  summary: "The same as /api/status, by its earlier name",
  tags,
  responses: answers("The verdict, the hold, sessions, runs, queues and what is delegated.", statusAnswer),
});

const overviewRoute = createRoute({
  method: "get",
  path: "/api/overview",
  operationId: "overview",
  summary: "Everything that the dashboard shows",
  tags,
  responses: answers(
    "The status, each session's screen, the first tasks of each kind and 24 hours of history.",
    overview,
  ),
});

const delegatedRoute = createRoute({
  method: "get",
  path: "/api/delegated/status",
  operationId: "delegatedStatus",
  summary: "What is with the platform",
  tags,
  responses: answers("Totals, and the tasks that are out.", delegationStatusSchema),
});

const holdAnswer = z.object({ hold: holdView.nullable() }).meta({ id: "HoldAnswer" });
const holdBody = z.strictObject({ message: z.string().min(1).max(500).optional() });

const holdRoute = createRoute({
  method: "post",
  path: "/api/hold",
  operationId: "hold",
  summary: "Give out no more tasks until somebody resumes",
  description: "Runs that are under way go on.",
  tags,
  request: { body: { content: { "application/json": { schema: holdBody } } } },
  responses: answers("The hold that is in force now.", holdAnswer),
});

const resumeRoute = createRoute({
  method: "post",
  path: "/api/resume",
  operationId: "resume",
  summary: "End the hold, whatever it was for",
  tags,
  responses: answers("The hold that is in force now: none.", holdAnswer),
});

const repairRoute = createRoute({
  method: "post",
  path: "/api/repair",
  operationId: "repair",
  summary: "Make good what Redis has lost",
  description: "The daemon does so by itself, at its start, when Redis is back and in each sweep.",
  tags,
  responses: answers("What there was to do.", z.object({ repairs: z.array(repairSchema) })),
});

/** How the queue stands as a whole, and the commands on all of it. */
export function statusRoutes(controls: ApiControls): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(watchdogRoute, async (context) => context.json(await controls.status(), 200));
  routes.openapi(statusRoute, async (context) => context.json(await controls.status(), 200));
  routes.openapi(overviewRoute, async (context) => context.json(await controls.overview(), 200));
  routes.openapi(delegatedRoute, async (context) => context.json(await controls.delegationStatus(), 200));
  routes.openapi(holdRoute, async (context) => {
    const { message = null } = context.req.valid("json");
    return context.json({ hold: await controls.hold(message) }, 200);
  });
  routes.openapi(resumeRoute, async (context) => context.json({ hold: await controls.resume() }, 200));
  routes.openapi(repairRoute, async (context) => context.json({ repairs: await controls.repair() }, 200));
  return routes;
}
