import { formatDuration } from "./duration.ts";
import type { TaskEvent } from "./events.ts";
import type { Hold } from "./verdict.ts";

/** A step on a task's way in one line for people, without the task's name. */
export function describeEvent(event: TaskEvent): string {
  return oneLine(textOf(event));
}

function textOf(event: TaskEvent): string {
  switch (event.type) {
    case "seen":
      return [event.isAgain ? "put back into the inbox" : "seen in the inbox", ...event.warnings].join("; ");
    case "updated":
      return "updated: its file was edited";
    case "cancelled":
      return event.byCommand ? "cancelled: somebody cancelled the task" : "cancelled: its file was taken away";
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
    case "attention":
      return `needs attention in ${event.session}: ${event.what}`;
    case "retrying":
      return `tried again in ${formatDuration(event.delayMs)}: ${event.reason}`;
    case "held":
      return `waits with the pool until ${new Date(event.untilMs).toISOString()}: ${event.reason}`;
    case "recovered":
      return `waits again: ${event.from}, which ran it, is gone`;
    case "restored":
      return "known again: Redis had lost it";
    case "delegated":
      return `${event.provider} has it, as ${event.remote}`;
    case "done":
      return `done after ${formatDuration(event.spent.durationMs)}; now ${event.path}`;
    case "failed":
      return `failed: ${event.reason}; now ${event.path}`;
  }
}

/** A hold of the pool, or its end (null), in one line for people. */
export function describeHold(hold: Hold | null): string {
  if (hold === null) return "the pool is no longer held";
  if (hold.kind === "manual") return oneLine(`the pool is held until somebody resumes it: ${hold.message}`);
  const why = hold.kind === "limit" ? "the usage limit is reached" : "Claude Code cannot log in";
  const until = new Date(hold.untilMs).toISOString();
  return oneLine(`the pool is held until ${until}, then one task goes first: ${why} (${hold.message})`);
}

/** What an agent says may have many lines. */
function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
