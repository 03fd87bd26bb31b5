import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 10;
const TIMEOUT_MS = 300_000;

/**
 * Waits until something is so. Throws when it takes too long, or when the signal aborts.
 * @param {string} what for the message
 * @param {() => boolean | Promise<boolean>} isSo
 * @param {AbortSignal} signal
 */
export async function until(what, isSo, signal) {
  const deadlineMs = performance.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain: ${what}`);
    await sleep(LOOK_MS, undefined, { signal });
  }
}
