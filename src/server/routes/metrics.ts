import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { textAnswers } from "./answers.ts";

/** What can be measured, in the text format of Prometheus. */
export interface MetricsSource {
  text(): Promise<string>;
}

const TYPE = "text/plain; version=0.0.4; charset=utf-8";

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "metrics",
  summary: "Metrics for Prometheus",
  tags: ["health"],
  responses: textAnswers("Prometheus's text format.", "text/plain", z.string()),
});

/** What a monitoring system collects. */
export function metricsRoutes(metrics: MetricsSource): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(metricsRoute, async (context) => context.body(await metrics.text(), 200, { "content-type": TYPE }));
  return routes;
}
