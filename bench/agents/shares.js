import { readFileSync } from "node:fs";
import { join } from "node:path";
import { figuresOf } from "../figures.js";
import { readStamps } from "./stamps.js";

/** @typedef {ReturnType<typeof sharesOf>} Shares */

/**
 * Where the time between two tasks of one session goes, by the agents' stamps and what the queue keeps of its runs.
 * @param {import("./queue.js").Queue} queue
 */
export function sharesOf({ log, runs }) {
  const stamps = readStamps(log);
  /** @type {number[]} */ const finish = [];
  /** @type {number[]} */ const handOver = [];
  /** @type {number[]} */ const launch = [];
  for (const [index, ended] of stamps.entries()) {
    const next = stamps[index + 1];
    if (ended.event !== "end" || next === undefined) continue;
    const closedMs = readRun(runs, ended.run).state.atMs;
    const { preparedAtMs } = readRun(runs, next.run);
    finish.push(closedMs - ended.at);
    handOver.push(preparedAtMs - closedMs);
    launch.push(next.at - preparedAtMs);
  }
  return {
    finishMs: figuresOf(finish).median,
    handOverMs: figuresOf(handOver).median,
    launchMs: figuresOf(launch).median,
  };
}

/** @param {string} runs @param {string} id @returns {{ preparedAtMs: number, state: { atMs: number } }} */
function readRun(runs, id) {
  return JSON.parse(readFileSync(join(runs, id, "run.json"), "utf8"));
}
