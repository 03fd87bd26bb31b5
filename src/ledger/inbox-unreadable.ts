import { messageOf, QueueError } from "../core/errors.ts";

/** An inbox is there and cannot be read. Whoever meets that says the same of it, so that it is told once. */
export function inboxUnreadable(inbox: string, cause: unknown): QueueError {
  // The reason without the path that it may end in, which is another one for each file of the inbox.
  const [reason = ""] = messageOf(cause).split(", ");
  return new QueueError(`the inbox ${inbox} cannot be read: ${reason}`, {
    code: "INBOX_UNREADABLE",
    hint: "let the daemon's user read and write it; its tasks wait, and it is tried again by itself",
    cause,
  });
}
