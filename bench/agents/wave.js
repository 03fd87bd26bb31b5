import { openQueue } from "./queue.js";
import { agentOf, untilEnded } from "./stamps.js";

/**
 * What became of tasks that were dropped at once.
 * @typedef {object} Wave
 * @property {number} makespanS from the drop to the last agent's Stop
 * @property {number} utilisation the percentage of the sessions' time in which an agent was between launch and Stop
 */

/**
 * A queue whose sessions are all warm.
 * @param {number} sessions @param {import("./stamps.js").Habits} habits @param {AbortSignal} signal
 */
export async function openWaves(sessions, habits, signal) {
  const queue = await openQueue({ sessions, agent: (log) => agentOf(log, habits), signal });
  let dropped = 0;

  /** @param {readonly import("./queue.js").Draft[]} drafts */
  function drop(drafts) {
    dropped += drafts.length;
    return queue.drop(drafts);
  }

  /** Waits until all that was dropped is over; the stamps of all. */
  async function over() {
    const stamps = await untilEnded(queue.log, dropped, signal);
    await queue.rest();
    return stamps;
  }

  try {
    drop(tasks("warm-up", sessions).map((draft) => ({ ...draft, workS: 0 })));
    await over();
  } catch (error) {
    await queue.close();
    throw error;
  }
  return { drop, over, close: queue.close };
}

/** @param {string} name @param {number} count @returns {import("./queue.js").Draft[]} */
export const tasks = (name, count) => Array.from({ length: count }, (_, index) => ({ name: `${name}-${index}` }));

/**
 * How long equal tasks take at least.
 * @param {number} count @param {number} sessions @param {import("./stamps.js").Habits} habits
 */
export const idealS = (count, sessions, { startS, workS }) => Math.ceil(count / sessions) * (startS + workS);

/**
 * Measures from the stamps that were made since the drop.
 * @param {readonly import("./stamps.js").Stamp[]} stamps @param {number} droppedMs @param {number} sessions
 * @returns {Wave}
 */
export function waveOf(stamps, droppedMs, sessions) {
  const since = stamps.filter(({ at }) => at >= droppedMs);
  const makespanMs = Math.max(...since.map(({ at }) => at)) - droppedMs;
  const busyMs = since.reduce((sum, { event, at }) => sum + (event === "end" ? at : -at), 0);
  return { makespanS: makespanMs / 1_000, utilisation: (100 * busyMs) / (sessions * makespanMs) };
}
