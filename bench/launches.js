import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openBarePane } from "./bare-pane.js";
import { moveIn, writeAndMoveIn, writeInPlace } from "./drops.js";
import { startQueue } from "./own-queue.js";
import { openSandbox } from "./sandbox.js";

const AGENT = fileURLToPath(new URL("stamp-agent.sh", import.meta.url));
/** Left alone for this long, a session is idle and no timer of its last task is due. */
const REST_MS = 1_300;
const STAMP_POLL_MS = 10;

/** @typedef {Record<"bare" | "moved" | "sameTick" | "inPlace", number[]>} Launches in ms from the drop to the launch */

/**
 * Drops tasks in each way in turns, and one round more to warm up, which does not count.
 * @param {number} rounds @param {AbortSignal} signal
 * @returns {Promise<Launches>}
 */
export async function measureLaunches(rounds, signal) {
  const sandbox = openSandbox();
  const closers = [sandbox.close];
  try {
    const stamp = join(sandbox.dir, "launched-at");
    const agent = ["sh", AGENT, stamp];
    const queue = startQueue(sandbox, agent, signal);
    closers.push(queue.stop);
    await queue.step("started");
    const pane = await openBarePane(sandbox, agent);
    closers.push(pane.close);

    const dropInPane = async (/** @type {string} */ name) => {
      const droppedMs = moveIn(pane.inbox, name);
      const launchedMs = await readStamp(stamp, signal);
      await pane.rearm();
      return launchedMs - droppedMs;
    };
    /** @param {typeof moveIn} drop */
    const dropInQueue = (drop) => async (/** @type {string} */ name) => {
      // The agent ends at once, which is a failure to the queue; it tells of it once the session is free again.
      const failed = queue.step("failed");
      const droppedMs = drop(queue.inbox, name);
      await failed;
      return (await readStamp(stamp, signal)) - droppedMs;
    };
    const ways = {
      bare: dropInPane,
      moved: dropInQueue(moveIn),
      sameTick: dropInQueue(writeAndMoveIn),
      inPlace: dropInQueue(writeInPlace),
    };

    /** @type {Launches} */
    const launches = { bare: [], moved: [], sameTick: [], inPlace: [] };
    for (let round = 0; round <= rounds; round += 1) {
      for (const way of /** @type {const} */ (["bare", "moved", "sameTick", "inPlace"])) {
        await sleep(REST_MS, undefined, { signal });
        rmSync(stamp, { force: true });
        const ms = await ways[way](`task-${round}-${way}.md`);
        if (round > 0) launches[way].push(ms);
      }
    }
    return launches;
  } finally {
    for (const close of closers.reverse()) await close().catch(console.error);
  }
}

/**
 * When the agent was launched by its own clock, in ms since the epoch.
 * @param {string} path @param {AbortSignal} signal
 */
async function readStamp(path, signal) {
  for (;;) {
    const text = readOrEmpty(path);
    if (text.endsWith("\n")) return Number(text) / 1e6;
    await sleep(STAMP_POLL_MS, undefined, { signal });
  }
}

/** @param {string} path */
function readOrEmpty(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
