import { renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const TASK = "Say hello.\n";
const DRAFT_AGE_MS = 1_000;

/**
 * Moves a task in whole that was written a while ago. Returns when, in ms since the epoch.
 * @param {string} inbox @param {string} name
 */
export function moveIn(inbox, name) {
  const draft = join(inbox, "..", `${name}.draft`);
  writeFileSync(draft, TASK);
  // A move within the same tick of the kernel's clock would pass for a file written in place.
  utimesSync(draft, new Date(), new Date(Date.now() - DRAFT_AGE_MS));
  const atMs = nextTick();
  renameSync(draft, join(inbox, name));
  return atMs;
}

/**
 * Writes a task in place: open, write, close. Returns when it began, in ms since the epoch.
 * @param {string} inbox @param {string} name
 */
export function writeInPlace(inbox, name) {
  const atMs = nextTick();
  writeFileSync(join(inbox, name), TASK);
  return atMs;
}

/** The system's clock at the moment it moves on, so that whole milliseconds are exact. */
function nextTick() {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now;
}
