import { z } from "zod";
import { formatDuration } from "./duration.ts";
import type { ErrorCode } from "./errors.ts";

const text = z.string();
const ms = z.number();

/** How a run ended. Each kind carries what a person would ask next. */
export const runEnd = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("finished"), message: text }),
  z.object({ kind: z.literal("limited"), message: text }),
  z.object({ kind: z.literal("unauthorised"), error: text, message: text }),
  z.object({ kind: z.literal("api-error"), error: text, message: text }),
  /** Nobody answered a dialog at its start. */
  z.object({ kind: z.literal("blocked"), waitedMs: ms }),
  z.object({ kind: z.literal("not-submitted"), waitedMs: ms }),
  z.object({ kind: z.literal("needs-attention"), waitingFor: text, waitedMs: ms }),
  /** Somebody pressed Escape and did not go on. */
  z.object({ kind: z.literal("interrupted"), waitedMs: ms }),
  /** Somebody ended the agent, as with /exit. */
  z.object({ kind: z.literal("left") }),
  z.object({ kind: z.literal("crashed"), exitCode: z.number().nullable() }),
  z.object({ kind: z.literal("timed-out"), silentMs: ms }),
  z.object({ kind: z.literal("cancelled") }),
]);
export type RunEnd = Readonly<z.infer<typeof runEnd>>;

/** What a run that did not finish is called in the footer and the log. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Why a run counts as failed, or null when it finished. */
export function failureOf(end: RunEnd): Failure | null {
  switch (end.kind) {
    case "finished":
      return null;
    case "limited":
      return { code: "RUN_LIMITED", message: end.message };
    case "unauthorised":
      return { code: "RUN_UNAUTHORISED", message: `${end.error}: ${end.message}` };
    case "api-error":
      return { code: "RUN_API_ERROR", message: `${end.error}: ${end.message}` };
    case "blocked":
      return { code: "RUN_BLOCKED", message: `nobody answered the agent's dialog within ${attention(end)}` };
    case "not-submitted":
      return {
        code: "RUN_NOT_SUBMITTED",
        message: `the agent took no prompt within ${formatDuration(end.waitedMs)} (dispatcher.prompt_timeout)`,
      };
    case "needs-attention":
      return {
        code: "RUN_NEEDS_ATTENTION",
        message: `nobody answered the agent (${end.waitingFor}) within ${attention(end)}`,
      };
    case "interrupted":
      return {
        code: "RUN_INTERRUPTED",
        message: `somebody interrupted the agent and did not go on within ${attention(end)}`,
      };
    case "left":
      return { code: "RUN_INTERRUPTED", message: "somebody ended the agent in its session" };
    case "crashed":
      return { code: "RUN_CRASHED", message: `the agent ended ${exit(end.exitCode)} before it was finished` };
    case "timed-out":
      return {
        code: "RUN_TIMED_OUT",
        message: `the agent showed no sign of life for ${formatDuration(end.silentMs)} (the task's timeout, or else claude.timeout)`,
      };
    case "cancelled":
      return { code: "RUN_CANCELLED", message: "the task was cancelled while it ran" };
  }
}

function attention({ waitedMs }: { waitedMs: number }): string {
  return `${formatDuration(waitedMs)} (claude.attention_timeout)`;
}

function exit(code: number | null): string {
  return code === null ? "without an exit code" : `with exit code ${code}`;
}
