/** Every code an error of ours can carry, with what it means. `docs/errors.md` lists the same, held equal by a test. */
export const ERROR_CODES = {
  CONFIG_INVALID: "The configuration file does not hold what it should.",
  CONFIG_NOT_FOUND: "The configuration file that was asked for is not there, or cannot be read.",
  CONFIG_EXISTS: "`ccl-queue init` found a configuration file and left it alone.",
  ALREADY_RUNNING: "Another ccl-queue daemon uses the same state directory.",
  STATE_DIR_TOO_LONG: "The state directory's path is too long to hold a unix socket.",
  REDIS_MISSING: "No Redis URL is configured and neither redis-server nor valkey-server is installed.",
  REDIS_FAILED: "The embedded Redis did not start.",
  REDIS_UNREACHABLE: "The configured Redis does not answer.",
  TMUX_FAILED: "A tmux command failed, so the state of the pool is not known at the moment.",
  TMUX_MISSING: "The tmux program is not installed.",
  TASK_INVALID: "The task file cannot be run as it is; it was moved to failed/ with the reason.",
  PAYLOAD_INVALID: "A job in Redis does not hold what ccl-queue puts there.",
  RUN_BLOCKED: "The agent did not get ready: something at its start waits for a person.",
  RUN_NOT_SUBMITTED: "The agent was ready but never took the prompt.",
  RUN_NEEDS_ATTENTION: "The agent waits for an answer that only a person can give.",
  RUN_LIMITED: "The account's usage limit was reached.",
  RUN_UNAUTHORISED: "The agent is not logged in, or its key was refused.",
  RUN_API_ERROR: "The model's API failed.",
  RUN_CRASHED: "The agent ended without finishing the task.",
  RUN_INTERRUPTED: "A person interrupted the agent.",
  RUN_TIMED_OUT: "The agent showed no sign of life for longer than the task's timeout.",
  RUN_CANCELLED: "The task was cancelled while it ran.",
  CLAUDE_MISSING: "The agent's program, claude.command, cannot be started.",
  CLAUDE_TOO_OLD: "This version of Claude Code does not tell how a run ends.",
} as const;

/** One of the codes in {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error a person can act on: a stable code, what happened to what, and (`hint`) what to do about it. */
export class QueueError extends Error {
  override readonly name = "QueueError";
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(message: string, options: { code: ErrorCode; hint?: string; cause?: unknown }) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = options.code;
    this.hint = options.hint ?? null;
  }
}

/** What an unknown thrown value says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a thrown value is a system error with one of these codes, such as ENOENT. */
export function isSystemError(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}
