import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { viewHold } from "../../control/hold-view.ts";
import { describeEvent } from "../../core/describe-event.ts";
import { taskLabel } from "../../core/task.ts";
import type { EventStreams, StreamMessage } from "../event-streams.ts";
import type { LiveEvent, LiveEvents } from "../live-events.ts";
import { textAnswers } from "./answers.ts";

const eventsRoute = createRoute({
  method: "get",
  path: "/api/events",
  operationId: "events",
  summary: "Tell what happens, as it happens",
  description:
    "Server-sent events: `task` with `{at, id, task, type, text}`, and `hold` with `{hold}`, null when it is over.",
  tags: ["queue"],
  responses: textAnswers("A stream that does not end.", "text/event-stream", z.string()),
});

/** What happens, for as long as a client listens. */
export function eventRoutes(live: LiveEvents, streams: EventStreams): OpenAPIHono {
  const routes = new OpenAPIHono();
  routes.openapi(eventsRoute, (context) =>
    streams.answer(context, (send) => live.subscribe((event) => send(messageOf(event)))),
  );
  return routes;
}

function messageOf(live: LiveEvent): StreamMessage {
  if (live.kind === "hold") return { event: "hold", data: JSON.stringify({ hold: viewHold(live.hold) }) };
  const { event } = live;
  const { id, type } = event;
  const data = { at: new Date().toISOString(), id, task: taskLabel(event.task), type, text: describeEvent(event) };
  return { event: "task", data: JSON.stringify(data) };
}
