import { formatDuration } from "./duration.ts";
import type { TaskEvent } from "./events.ts";

/** A step on a task's way in one line for people, without the task's name. */
export function describeEvent(event: TaskEvent): string {
  switch (event.type) {
    case "seen":
      return ["seen in the inbox", ...event.warnings].join("; ");
    case "updated":
      return "updated: its file was edited";
    case "cancelled":
      return "cancelled: its file was taken away";
    case "rejected":
      return `rejected: ${event.reason}; now ${event.path}`;
    case "routed":
      return event.decision.route === "local"
        ? `routed to the local pool: ${event.decision.reason}`
        : `routed to ${event.decision.provider}: ${event.decision.reason}`;
    case "launched":
      return `launched in ${event.session} with ${event.model}`;
    case "submitted":
      return `the agent in ${event.session} took the prompt`;
    case "done":
      return `done after ${formatDuration(event.durationMs)}; now ${event.path}`;
    case "failed":
      return `failed: ${event.reason}; now ${event.path}`;
  }
}
