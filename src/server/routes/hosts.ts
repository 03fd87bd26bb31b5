import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { hostView } from "../../control/hosts.ts";
import { answers } from "./answers.ts";
import type { ApiControls } from "./api-controls.ts";

const tags = ["queue"];

const listRoute = createRoute({
  method: "get",
  path: "/api/hosts",
  operationId: "listHosts",
  summary: "List the hosts on this Redis",
  description: "Of every workspace, as each of them last said that it stands.",
  tags,
  responses: answers("The hosts.", z.object({ hosts: z.array(hostView) })),
});

const adoptRoute = createRoute({
  method: "post",
  path: "/api/hosts/{host}/adopt",
  operationId: "adoptHost",
  summary: "Take over what a dead host of this workspace had running",
  description: "At once, not only when it is taken for gone. Its tasks wait again.",
  tags,
  request: { params: z.object({ host: z.string().min(1) }) },
  responses: answers("The tasks that wait again.", z.object({ tasks: z.array(z.string()) })),
});

/** The hosts that share this Redis. */
export function hostRoutes(controls: ApiControls): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(listRoute, async (context) => context.json({ hosts: await controls.hosts() }, 200));
  routes.openapi(adoptRoute, async (context) =>
    context.json({ tasks: await controls.adopt(context.req.valid("param").host) }, 200),
  );
  return routes;
}
