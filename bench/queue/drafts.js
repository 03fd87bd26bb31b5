import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const AGE_MS = 1_000;

/**
 * Writes tasks beside an inbox, as they were a while ago: to be moved in whole is then the last that happens to them.
 * Returns what moves all in at once, and returns when it began, in ms since the epoch.
 * @param {string} inbox @param {number} count
 */
export function writeDrafts(inbox, count) {
  const drafts = join(inbox, "..", "drafts");
  mkdirSync(drafts);
  const names = namesOf(count);
  for (const name of names) {
    writeFileSync(join(drafts, name), "Do it.\n");
    utimesSync(join(drafts, name), new Date(), new Date(Date.now() - AGE_MS));
  }
  return () => {
    const droppedMs = Date.now();
    for (const name of names) renameSync(join(drafts, name), join(inbox, name));
    return droppedMs;
  };
}

/** The tasks' names. @param {number} count */
export function namesOf(count) {
  return Array.from({ length: count }, (_, number) => `task-${number}.md`);
}
