import { readdir } from "node:fs/promises";
import { isSystemError } from "../core/errors.ts";
import { claimedTaskName, inboxDir, isTaskName, markedTaskName } from "./layout.ts";

/** What is in an inbox: tasks, by name. */
export interface InboxListing {
  readonly waiting: readonly string[];
  readonly claimed: readonly string[];
  /** With secutools; most of them are waiting files too. */
  readonly delegated: readonly string[];
  /** Hidden files, ours and others', as they are called. */
  readonly hidden: readonly string[];
}

/** Lists an inbox. One that does not exist is empty; one that cannot be read throws. */
export async function readInbox(project: string): Promise<InboxListing> {
  const names = await readdir(inboxDir(project)).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
  return {
    waiting: names.filter(isTaskName),
    claimed: names.flatMap((name) => claimedTaskName(name) ?? []),
    delegated: names.flatMap((name) => markedTaskName(name) ?? []),
    hidden: names.filter((name) => name.startsWith(".")),
  };
}
