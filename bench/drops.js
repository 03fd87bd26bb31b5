import { renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const TASK = "Say hello.\n";
const DRAFT_AGE_MS = 1_000;

/**
 * Moves a task in whole that was written a while ago. Returns when, in ms since the epoch.
 * @param {string} inbox @param {string} name
 */
export function moveIn(inbox, name) {
  const draft = draftOf(inbox, name);
  writeFileSync(draft, TASK);
  utimesSync(draft, new Date(), new Date(Date.now() - DRAFT_AGE_MS));
  const atMs = nextTick();
  renameSync(draft, join(inbox, name));
  return atMs;
}

/**
 * Writes a task elsewhere and moves it in at once: within one tick of the kernel's file clock, so that its times are
 * those of a file written in place. Returns when it began, in ms since the epoch.
 * @param {string} inbox @param {string} name
 */
export function writeAndMoveIn(inbox, name) {
  const draft = draftOf(inbox, name);
  const atMs = nextTick();
  writeFileSync(draft, TASK);
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

/** @param {string} inbox @param {string} name */
function draftOf(inbox, name) {
  return join(inbox, "..", `${name}.draft`);
}

/** The system's clock at the moment it moves on, so that whole milliseconds are exact. */
function nextTick() {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now;
}
