import { readdirSync, readFileSync } from "node:fs";

/**
 * The processes that have a text in their environment or on their command line. One that has ended has neither.
 * @param {"environ" | "cmdline"} where
 * @param {string} text
 */
export function processesWith(where, text) {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => pid !== process.pid && read(pid, where).includes(text));
}

/** What a process was called by, for people. @param {number} pid */
export function commandOf(pid) {
  return read(pid, "cmdline").replaceAll("\0", " ").trim();
}

/** Whether a process is the agent of this run. @param {number} pid @param {string} run */
export function isAgentOf(pid, run) {
  return read(pid, "environ")
    .split("\0")
    .some((line) => line.startsWith("CCL_QUEUE_RUN=") && line.endsWith(`/runs/${run}`));
}

/** False when it is gone already. @param {number} pid @param {NodeJS.Signals} name */
export function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** @param {number} pid @param {"environ" | "cmdline"} where */
function read(pid, where) {
  try {
    return readFileSync(`/proc/${pid}/${where}`, "utf8");
  } catch {
    return "";
  }
}
