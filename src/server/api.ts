import { Hono, type MiddlewareHandler } from "hono";
import type { Controls } from "../control/controls.ts";
import { problem, problemOf } from "./problem.ts";

export interface ApiOptions {
  readonly controls: Pick<Controls, "status" | "delegationStatus" | "cancel">;
  /** Lets a request in or answers it. */
  readonly guard: MiddlewareHandler;
  /** Told of what nobody foresaw. */
  readonly onError: (error: unknown) => void;
}

/** The HTTP API. Whether the daemon is alive may be asked by everyone. */
export function createApi({ controls, guard, onError }: ApiOptions): Hono {
  const api = new Hono();
  api.get("/healthz", (context) => context.json({ status: "ok" }));
  api.use(guard);
  api.get("/watchdog/status", async (context) => context.json(await controls.status()));
  api.get("/api/delegated/status", async (context) => context.json(await controls.delegationStatus()));
  api.post("/api/tasks/:task/cancel", async (context) =>
    context.json(await controls.cancel(context.req.param("task"))),
  );
  api.notFound((context) => problem(context, 404, "NOT_FOUND", `there is no ${context.req.path}`));
  api.onError((error, context) => {
    const answer = problemOf(context, error);
    if (answer.status === 500) onError(error);
    return answer;
  });
  return api;
}
