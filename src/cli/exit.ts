import { QueueError } from "../core/errors.ts";

/** What `ccl-queue` ends with. `docs/cli.md` lists the same, held equal by a test. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, noDaemon: 4, notWell: 5 } as const;

const NOT_FOUND: readonly string[] = [
  "TASK_UNKNOWN",
  "TASK_AMBIGUOUS",
  "SESSION_UNKNOWN",
  "PROJECT_UNKNOWN",
  "PROJECT_AMBIGUOUS",
  "HOST_UNKNOWN",
];
const NO_DAEMON: readonly string[] = ["DAEMON_NOT_RUNNING", "DAEMON_STARTING", "DAEMON_SILENT"];

/** A command line that makes no sense, and how it would. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The exit code for what a verb met. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof QueueError)) return EXIT.error;
  if (NOT_FOUND.includes(error.code)) return EXIT.notFound;
  return NO_DAEMON.includes(error.code) ? EXIT.noDaemon : EXIT.error;
}
