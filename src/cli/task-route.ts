import { dirname, resolve } from "node:path";
import { INBOX, QUEUE_DIR, SHELVES } from "../ledger/layout.ts";

const FOLDERS = [INBOX, ...SHELVES].map((folder) => `/${QUEUE_DIR}/${folder}`);

/** The API's route for a task as people name it; `action` is what follows, such as `/cancel`. */
export function taskRoute(text: string, action = ""): string {
  return `/api/tasks/${encodeURIComponent(nameOf(text))}${action}`;
}

/** A path is taken from where we stand; a bare name, one with its project or an id is the daemon's to find. */
function nameOf(text: string): string {
  const path = resolve(text);
  const isInFolder = text.includes("/") && FOLDERS.some((folder) => dirname(path).endsWith(folder));
  const isPath = isInFolder || text === "" || text.startsWith("/") || text.startsWith(".");
  return isPath ? path : text;
}
