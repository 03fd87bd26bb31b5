import { isSystemError, QueueError } from "../core/errors.ts";
import { inboxUnreadable } from "../ledger/inbox-unreadable.ts";

/** Which limit of the system was reached, and what raises it. */
const LIMITS = new Map([
  ["ENOSPC", "sysctl fs.inotify.max_user_watches=524288"],
  ["EMFILE", "sysctl fs.inotify.max_user_instances=1024, or ulimit -n where that is what is short"],
  ["ENFILE", "sysctl fs.file-max"],
]);
const LIMITED = "limited";

/** Tells what keeps inboxes from being watched or read: each trouble once, until it is over. */
export class Troubles {
  readonly #onError: (error: unknown) => void;
  /** The directories that cannot be read, and whether the system's limit is reached. */
  readonly #told = new Set<string>();

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** The system watches no more directories for us: this one and others are looked at by the clock. */
  watching(directory: string, error: NodeJS.ErrnoException): void {
    const hint = `raise the limit: ${LIMITS.get(error.code ?? "")}; nothing is missed meanwhile`;
    const message = `the system does not watch ${directory} for us, so inboxes are looked at every second`;
    this.#once(LIMITED, new QueueError(message, { code: "WATCH_LIMITED", hint, cause: error }));
  }

  /** An inbox is there and cannot be read. */
  reading(directory: string, error: unknown): void {
    this.#once(directory, inboxUnreadable(directory, error));
  }

  isReadable(directory: string): void {
    this.#told.delete(directory);
  }

  isAllWatched(): void {
    this.#told.delete(LIMITED);
  }

  #once(what: string, error: QueueError): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#onError(error);
  }
}

/** Whether the system watches no more directories for us. */
export function isWatchLimit(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error, ...LIMITS.keys()) && error.syscall === "watch";
}
