import type { OpenAPIHono } from "@hono/zod-openapi";
import type { BlankEnv } from "hono/types";
import { LOGIN_COOKIE } from "./login-cookie.ts";

const DESCRIPTION = `What the ccl-queue daemon can be asked over HTTP. Times are ISO 8601 in UTC, durations are in
milliseconds. Later versions may add keys to answers; keys of a request that nobody knows are refused.`;

/** The description of the routes, as OpenAPI 3.1 has it. */
export function describeApi(api: OpenAPIHono<BlankEnv>): ReturnType<OpenAPIHono["getOpenAPI31Document"]> {
  api.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "CCL_QUEUE_TOKEN, where one is set.",
  });
  api.openAPIRegistry.registerComponent("securitySchemes", "login", {
    type: "apiKey",
    in: "cookie",
    name: LOGIN_COOKIE,
    description: "What POST /login sets; commands have to come from a page of this server, then.",
  });
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "ccl-queue", version: "1", description: DESCRIPTION },
    security: [{ token: [] }, { login: [] }],
  });
}
