import { groupBy } from "./group.js";

/**
 * What one kind of fault came to.
 * @typedef {object} Row
 * @property {string} fault
 * @property {number} times
 * @property {number} running tasks, at most
 * @property {number} waiting at most
 * @property {number} repeated attempts that were begun again because of it
 * @property {number} longestMs until a task was begun again while some waited; 0 = none did
 *
 * @typedef {{ drops: ReadonlyMap<string, import("./journal.js").Drop>, attempts: readonly import("./attempts.js").Attempt[], acceptedAt: readonly number[] }} Work
 */

/** An agent was last seen alive up to so long before it was killed. */
const LOOK_MS = 300;

/**
 * What each kind of fault cost. A repeated attempt is put down to the last fault before the earlier one ended.
 * @param {readonly import("./driver.js").Injury[]} injuries in the order of time
 * @param {Work} work
 * @returns {Row[]}
 */
export function rowsOf(injuries, { drops, attempts, acceptedAt }) {
  const begunAt = [...attempts.map(({ startedAt }) => startedAt), ...acceptedAt].sort((a, b) => a - b);
  const blamed = repeatsOf(attempts, drops).map(
    (endedAt) => injuries.findLast(({ at }) => at <= endedAt + LOOK_MS)?.fault,
  );
  const byFault = groupBy(injuries, ({ fault }) => fault);
  return [...byFault].map(([fault, list]) => ({
    fault,
    times: list.length,
    running: Math.max(...list.map(({ running }) => running)),
    waiting: Math.max(...list.map(({ waiting }) => waiting)),
    repeated: blamed.filter((one) => one === fault).length,
    longestMs: Math.max(0, ...list.map((injury) => delayMs(injury, begunAt))),
  }));
}

/** When each attempt ended that was begun again though its task has nothing that makes it fail. @param {Work["attempts"]} attempts @param {Work["drops"]} drops */
function repeatsOf(attempts, drops) {
  const byToken = groupBy(attempts, ({ token }) => token);
  return [...byToken].flatMap(([token, list]) => {
    const drop = drops.get(token ?? "");
    if (drop === undefined || !drop.isSteady) return [];
    const cut = list.filter(({ stoppedAt }, index) => stoppedAt === null && index < list.length - 1);
    return cut.map(({ lastSeenAt }) => lastSeenAt);
  });
}

/** @param {import("./driver.js").Injury} injury @param {readonly number[]} begunAt */
function delayMs({ at, waiting }, begunAt) {
  const next = begunAt.find((time) => time > at);
  return waiting === 0 || next === undefined ? 0 : next - at;
}

/** For people, and for a page of markdown. @param {readonly Row[]} rows */
export function tableOf(rows) {
  const header = ["fault", "times", "running", "waiting", "repeated attempts", "longest delay"];
  const cells = rows
    .toSorted((a, b) => a.fault.localeCompare(b.fault))
    .map(({ fault, times, running, waiting, repeated, longestMs }) => [
      ...[fault, times, running, waiting, repeated],
      longestMs === 0 ? "none" : `${(longestMs / 1000).toFixed(1)} s`,
    ]);
  const lines = [header, ...cells].map((line) => line.map(String));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [first = "", ...rest] = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`,
  );
  return [first, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rest].join("\n");
}
