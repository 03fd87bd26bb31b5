import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { commanded, taskDetail, taskDraft, taskFilter, taskLog, taskPage } from "../../control/task-view.ts";
import { answers, created } from "./answers.ts";
import type { ApiControls } from "./api-controls.ts";

const tags = ["tasks"];
const named = z.object({
  task: z.string().min(1).meta({ description: "An id or its beginning, a file's name, project/file, or a path." }),
});
const commandedAnswer = commanded.meta({ id: "Commanded" });

/** In a query, all is text, and a list of one looks like a value. */
const toNumber = (given: unknown) => (typeof given === "string" && /^\d+$/.test(given) ? Number(given) : given);
const toList = (given: unknown) => (typeof given === "string" ? [given] : given);

const listRoute = createRoute({
  method: "get",
  path: "/api/tasks",
  operationId: "listTasks",
  summary: "List tasks",
  description: "Those that are not over come first, in the order in which they will be done; then the last finished.",
  tags,
  request: {
    query: z.strictObject({
      ...taskFilter.shape,
      state: z.preprocess(toList, taskFilter.shape.state),
      limit: z.preprocess(toNumber, taskFilter.shape.limit),
      offset: z.preprocess(toNumber, taskFilter.shape.offset),
    }),
  },
  responses: answers("One page, and how many there are in all.", taskPage.meta({ id: "TaskPage" })),
});

const addRoute = createRoute({
  method: "post",
  path: "/api/tasks",
  operationId: "addTask",
  summary: "Add a task",
  description: "Writes its file into a project's inbox.",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: taskDraft.strict() } } } },
  responses: created("The task, and where its file is.", commandedAnswer),
});

const showRoute = createRoute({
  method: "get",
  path: "/api/tasks/{task}",
  operationId: "showTask",
  summary: "Show a task",
  tags,
  request: { params: named },
  responses: answers("The task, its prompt and result, and its timeline.", taskDetail.meta({ id: "TaskDetail" })),
});

const logRoute = createRoute({
  method: "get",
  path: "/api/tasks/{task}/log",
  operationId: "taskLog",
  summary: "Tell what happened to a task",
  tags,
  request: {
    params: named,
    query: z.strictObject({ from: z.preprocess(toNumber, z.int().min(0).default(0)) }),
  },
  responses: answers("The lines from that one on, and where the next part begins.", taskLog.meta({ id: "TaskLog" })),
});

const retryAllRoute = createRoute({
  method: "post",
  path: "/api/tasks/retry",
  operationId: "retryFailedTasks",
  summary: "Try all failed tasks again",
  tags,
  request: {
    body: { content: { "application/json": { schema: z.strictObject({ project: z.string().min(1).optional() }) } } },
  },
  responses: answers("The tasks that were put back.", z.object({ tasks: z.array(commandedAnswer) })),
});

const retryRoute = createRoute({
  method: "post",
  path: "/api/tasks/{task}/retry",
  operationId: "retryTask",
  summary: "Try a task again that is over",
  description: "Puts its file back into the inbox, with fresh attempts.",
  tags,
  request: { params: named },
  responses: answers("The task, and where its file is now.", commandedAnswer),
});

const cancelRoute = createRoute({
  method: "post",
  path: "/api/tasks/{task}/cancel",
  operationId: "cancelTask",
  summary: "Cancel a task",
  description: "It may wait, run, or be delegated. Its file goes to failed/.",
  tags,
  request: { params: named },
  responses: answers("The task, and where its file is now.", commandedAnswer),
});

/** Tasks, and the commands on them. */
export function taskRoutes(controls: ApiControls): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(listRoute, async (context) => context.json(await controls.tasks(context.req.valid("query")), 200));
  routes.openapi(addRoute, async (context) => context.json(await controls.add(context.req.valid("json")), 201));
  routes.openapi(showRoute, async (context) => context.json(await controls.task(context.req.valid("param").task), 200));
  routes.openapi(logRoute, async (context) =>
    context.json(await controls.log(context.req.valid("param").task, context.req.valid("query").from), 200),
  );
  routes.openapi(retryAllRoute, async (context) => {
    const { project = null } = context.req.valid("json");
    return context.json({ tasks: await controls.retryAll(project) }, 200);
  });
  routes.openapi(retryRoute, async (context) =>
    context.json(await controls.retry(context.req.valid("param").task), 200),
  );
  routes.openapi(cancelRoute, async (context) =>
    context.json(await controls.cancel(context.req.valid("param").task), 200),
  );
  return routes;
}
