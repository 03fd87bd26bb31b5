import type { ErrorCode } from "./errors.ts";

/** How a run ended. Each carries what a person would ask next. */
export type RunEnd =
  | { readonly kind: "finished"; readonly message: string }
  | { readonly kind: "limited"; readonly message: string }
  | { readonly kind: "unauthorised"; readonly message: string }
  | { readonly kind: "api-error"; readonly error: string; readonly message: string }
  | { readonly kind: "blocked"; readonly waitedMs: number }
  | { readonly kind: "not-submitted"; readonly waitedMs: number }
  | { readonly kind: "needs-attention"; readonly waitingFor: string }
  | { readonly kind: "interrupted" }
  | { readonly kind: "crashed"; readonly exitCode: number | null }
  | { readonly kind: "timed-out"; readonly silentMs: number }
  | { readonly kind: "lost" };

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
      return { code: "RUN_UNAUTHORISED", message: end.message };
    case "api-error":
      return { code: "RUN_API_ERROR", message: `${end.error}: ${end.message}` };
    case "blocked":
      return {
        code: "RUN_BLOCKED",
        message: `the agent was not ready after ${seconds(end.waitedMs)}: its screen is below`,
      };
    case "not-submitted":
      return {
        code: "RUN_NOT_SUBMITTED",
        message: `the agent took no prompt within ${seconds(end.waitedMs)}: its screen is below`,
      };
    case "needs-attention":
      return {
        code: "RUN_NEEDS_ATTENTION",
        message: `the agent waits for an answer (${end.waitingFor}): its screen is below`,
      };
    case "interrupted":
      return { code: "RUN_INTERRUPTED", message: "somebody interrupted the agent in its session" };
    case "crashed":
      return { code: "RUN_CRASHED", message: `the agent ended ${exit(end.exitCode)} before it was finished` };
    case "timed-out":
      return { code: "RUN_TIMED_OUT", message: `the agent showed no sign of life for ${seconds(end.silentMs)}` };
    case "lost":
      return { code: "RUN_LOST", message: "the run was not to be found after a restart of ccl-queue" };
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

function exit(code: number | null): string {
  return code === null ? "without an exit code" : `with exit code ${code}`;
}
