import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { until } from "./until.js";

const AGENT = fileURLToPath(new URL("agent.sh", import.meta.url));

/**
 * What an agent wrote of itself: when it was launched or stopped, in ms since the epoch, in which run, for which task.
 * @typedef {{ event: string, at: number, run: string, firstLine: string }} Stamp
 *
 * @typedef {object} Habits
 * @property {"ends" | "stays"} after its Stop: ends by itself, or stays open until it is ended, as Claude Code does
 * @property {number} startS
 * @property {number} workS
 */

/** The command of an agent with a log of its own. @param {string} log @param {Habits} habits */
export const agentOf = (log, { after, startS, workS }) => ["sh", AGENT, log, after, String(startS), String(workS)];

/** @param {string} log @returns {Stamp[]} in the order of time */
export function readStamps(log) {
  const lines = readOrEmpty(log).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).toSorted((a, b) => a.at - b.at);
}

/**
 * Waits until so many agents have stopped.
 * @param {string} log @param {number} count @param {AbortSignal} signal
 */
export async function untilEnded(log, count, signal) {
  const isOver = () => readOrEmpty(log).split('"event":"end"').length > count;
  await until(isOver, `${count} agents to stop`, signal);
  return readStamps(log);
}

/** The times of one kind of stamp. @param {readonly Stamp[]} stamps @param {"start" | "end"} kind */
export const timesOf = (stamps, kind) => stamps.filter(({ event }) => event === kind).map(({ at }) => at);

/** @param {string} path */
function readOrEmpty(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
