import { setTimeout as sleep } from "node:timers/promises";

const DEADLINE_MS = 90_000;
const POLL_MS = 20;

/**
 * Waits for a condition.
 * @param {() => boolean | Promise<boolean>} isMet @param {string} what is waited for @param {AbortSignal} signal
 */
export async function until(isMet, what, signal) {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await isMet())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
