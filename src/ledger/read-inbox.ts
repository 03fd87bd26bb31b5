import { readdir } from "node:fs/promises";
import { isSystemError } from "../core/errors.ts";
import { inboxDir, isTaskName } from "./layout.ts";

/** The names of the tasks that wait in an inbox. One that does not exist is empty; one that cannot be read throws. */
export async function readInbox(project: string): Promise<string[]> {
  const names = await readdir(inboxDir(project)).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
  return names.filter(isTaskName);
}
