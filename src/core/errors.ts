/** Every code an error of ours can carry, with what it means. `docs/errors.md` lists the same, held equal by a test. */
export const ERROR_CODES = {
  CONFIG_INVALID: "The configuration file does not hold what it should.",
  CONFIG_NOT_FOUND: "The configuration file that was asked for is not there, or cannot be read.",
  CONFIG_EXISTS: "`ccl-queue init` found a configuration file and left it alone.",
  ALREADY_RUNNING: "Another ccl-queue daemon uses the same state directory.",
  POOL_TAKEN: "Another ccl-queue daemon uses the same tmux sessions.",
  STATE_DIR_TOO_LONG: "The state directory's path is too long to hold a unix socket.",
  DAEMON_NOT_RUNNING: "No daemon answers on the state directory's socket.",
  DAEMON_STARTING: "The daemon is starting and does not answer questions yet.",
  DAEMON_SILENT: "The daemon took the question and does not answer it.",
  DAEMON_BAD_ANSWER: "The daemon answers with something that this command does not understand.",
  SERVER_OPEN: "The server would be open to everyone who can reach this machine.",
  SERVER_FAILED: "The server cannot listen on its address.",
  HOST_REFUSED: "The request came by a name that is not this server's.",
  ORIGIN_REFUSED: "The request came from a page of another server.",
  TOKEN_REFUSED: "The request did not show the server's token.",
  LOGIN_LIMITED: "Too many wrong tokens came from one address.",
  READ_ONLY: "The server is in read-only mode and changes nothing.",
  BOARD_REFUSED: "Bull Board has a button for this, and ccl-queue does not do it.",
  REQUEST_INVALID: "The request does not hold what its route takes.",
  METHOD_NOT_ALLOWED: "The route takes other methods.",
  MEDIA_TYPE_REFUSED: "The request's body is not JSON.",
  BODY_TOO_LARGE: "The request's body is longer than its route takes.",
  EVENTS_LIMITED: "As many clients as are allowed follow the events already.",
  NOT_FOUND: "The server has no such page.",
  INTERNAL_ERROR: "The daemon met an error that nobody foresaw.",
  TASK_UNKNOWN: "No task that this can be done to goes by that name or id.",
  TASK_NOT_OVER: "The task cannot be put back: it waits or runs.",
  PROJECT_UNKNOWN: "No watched project goes by that name.",
  PROJECT_AMBIGUOUS: "Several watched projects go by that name, or none was named.",
  TASK_AMBIGUOUS: "Several tasks go by that name or id.",
  SESSION_UNKNOWN: "The pool has no session of that name, or no session has that task.",
  TASK_CANCELLED: "Somebody cancelled the task.",
  HOST_UNKNOWN: "No other host of the workspace goes by that name.",
  HOST_BUSY: "Another host takes over that host's work right now.",
  REDIS_MISSING: "No Redis URL is configured and neither redis-server nor valkey-server is installed.",
  REDIS_FAILED: "The embedded Redis did not start.",
  REDIS_UNREACHABLE: "Redis does not answer.",
  TMUX_FAILED: "A tmux command failed, so the state of the pool is not known at the moment.",
  TMUX_MISSING: "The tmux program is not installed.",
  TASK_INVALID: "The task file cannot be run as it is; it was moved to failed/ with the reason.",
  WATCH_LIMITED: "The system watches no more directories for the daemon, which looks at inboxes every second instead.",
  INBOX_UNREADABLE: "An inbox is there and cannot be read.",
  DISK_FULL: "A file could not be written because there is no space left for it.",
  NOT_WRITABLE: "The daemon's user may not write where a file belongs.",
  PROJECT_AWAY: "A project's folder is not there, as when its disk is not mounted.",
  MARKER_INVALID: "The marker of a delegated task cannot be read, so nobody knows what became of it.",
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
  SECUTOOLS_NOT_CONFIGURED: "There is no usable URL or no usable key of the secutools platform.",
  SECUTOOLS_UNREACHABLE: "The secutools platform did not answer, or was too busy to.",
  SECUTOOLS_REFUSED: "The secutools platform refused a request.",
  SECUTOOLS_BAD_ANSWER: "The secutools platform answered with something that its description does not allow.",
  SECUTOOLS_JOB_FAILED: "The platform took the task and failed it.",
  SECUTOOLS_JOB_CANCELLED: "The task was cancelled on the platform.",
  SECUTOOLS_JOB_LOST: "The platform no longer knows the task.",
  SECUTOOLS_JOB_EXPIRED: "The platform did not finish the task within secutools.max_age.",
  NOTIFY_FAILED: "A notification could not be delivered and is not tried again.",
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

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** What an unknown thrown value says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a thrown value is a system error with one of these codes, such as ENOENT. */
export function isSystemError(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}

/** For `catch`: what is not there is null, and every other error is thrown on. */
export function ignoreMissing(error: unknown): null {
  if (isSystemError(error, "ENOENT")) return null;
  throw error;
}
