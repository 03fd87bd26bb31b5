import { setTimeout as sleep } from "node:timers/promises";
import { folderOf, namesIn, PROJECTS } from "./places.js";

/** So long nothing may be left to do. */
const QUIET_MS = 3_000;
/** Nothing takes so long without anything that can be seen: the longest are a silent agent's timeout and a hold. */
const STUCK_MS = 90_000;
const POLL_MS = 250;

/**
 * Waits until no inbox holds anything, no result is on its way, no agent lives and no session is tagged, and it stays
 * like that for a moment.
 * False when the time is over before, or nothing changes any more.
 * @param {import("./world.js").World} world
 * @param {number} timeoutMs
 * @param {AbortSignal} signal
 */
export async function untilQuiet(world, timeoutMs, signal) {
  const deadline = performance.now() + timeoutMs;
  let seen = "";
  let changedAt = performance.now();
  while (!signal.aborted && performance.now() < deadline) {
    const left = await whatIsLeft(world);
    if (left !== seen) changedAt = performance.now();
    seen = left;
    const sinceMs = performance.now() - changedAt;
    if (left === NOTHING && sinceMs > QUIET_MS) return true;
    if (sinceMs > STUCK_MS) return false;
    await sleep(POLL_MS);
  }
  return false;
}

const NOTHING = "[]";

/** @param {import("./world.js").World} world */
async function whatIsLeft({ places, lives, hosts }) {
  const filesIn = (/** @type {"inbox" | "done" | "failed"} */ folder) =>
    PROJECTS.flatMap((project) => namesIn(folderOf(places, project, folder)));
  // A draft that was left goes with a sweep.
  const drafts = [...filesIn("done"), ...filesIn("failed")].filter((name) => name.startsWith("."));
  const files = [...filesIn("inbox"), ...drafts];
  const agents = lives.alive().map(({ pid }) => pid);
  const sessions = await Promise.all(hosts.map((host) => host.sessions()));
  const runs = sessions.flat().flatMap(({ run }) => (run === "" ? [] : [run]));
  return JSON.stringify([...files, ...agents, ...runs]);
}
