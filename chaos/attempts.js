import { createHash } from "node:crypto";
import { tokenOf } from "./plans.js";

/**
 * A line of the agents' own log.
 * @typedef {object} AgentLine
 * @property {"start" | "submit" | "end"} event
 * @property {number} at
 * @property {number} pid
 * @property {string | null} run
 * @property {string} session Claude Code's
 * @property {string} promptSha256
 * @property {string} firstLine
 * @property {string} [cause] of an end
 *
 * When an agent was last seen alive.
 * @typedef {{ pid: number, run: string, lastSeenAt: number }} Life
 *
 * One agent, from its launch to its death.
 * @typedef {object} Attempt
 * @property {string | null} run
 * @property {number} pid
 * @property {number} startedAt
 * @property {string | null} token null = nobody knows whose it was
 * @property {boolean} isWhole it was given a text of the author's, byte for byte, or goes on where one was
 * @property {boolean} hasSubmitted
 * @property {number | null} stoppedAt when its work was done
 * @property {number} lastSeenAt
 */

/**
 * What the agents did, in the order of their launches.
 * @param {readonly AgentLine[]} lines
 * @param {readonly Life[]} lives
 * @param {ReadonlyMap<string, import("./journal.js").Drop>} drops by token
 */
export function attemptsOf(lines, lives, drops) {
  /** The tokens of the sessions that took a whole prompt. @type {Map<string, string>} */
  const sessions = new Map();
  /** The last one of each process. @type {Map<number, Attempt>} */
  const byPid = new Map();
  /** @type {Attempt[]} */
  const attempts = [];
  for (const line of lines.toSorted((a, b) => a.at - b.at)) {
    const attempt = byPid.get(line.pid);
    if (line.event === "start") {
      const begun = begin(line, sessions, drops);
      byPid.set(line.pid, begun);
      attempts.push(begun);
    } else if (attempt !== undefined && attempt.run === line.run) goOn(attempt, line, sessions);
  }
  const ends = new Map(lives.map(({ pid, run, lastSeenAt }) => [`${pid} ${run}`, lastSeenAt]));
  for (const attempt of attempts) {
    attempt.lastSeenAt = Math.max(attempt.lastSeenAt, ends.get(`${attempt.pid} ${attempt.run}`) ?? 0);
  }
  return attempts;
}

/** @param {AgentLine} line @param {ReadonlyMap<string, string>} sessions @param {ReadonlyMap<string, import("./journal.js").Drop>} drops @returns {Attempt} */
function begin({ at, pid, run, session, promptSha256, firstLine }, sessions, drops) {
  const named = tokenOf(firstLine);
  const token = named ?? sessions.get(session) ?? null;
  const drop = token === null ? undefined : drops.get(token);
  const isWhole = named === null ? token !== null : drop !== undefined && promptSha256 === sha256Of(run, drop.prompt);
  const rest = { hasSubmitted: false, stoppedAt: null, lastSeenAt: at };
  return { run, pid, startedAt: at, token, isWhole, ...rest };
}

/** @param {Attempt} attempt @param {AgentLine} line @param {Map<string, string>} sessions */
function goOn(attempt, { event, at, session, cause }, sessions) {
  attempt.lastSeenAt = Math.max(attempt.lastSeenAt, at);
  if (event === "end" && cause === "Stop") attempt.stoppedAt = at;
  if (event !== "submit") return;
  attempt.hasSubmitted = true;
  if (attempt.isWhole && attempt.token !== null) sessions.set(session, attempt.token);
}

/** What an agent reads first is its run. @param {string | null} run @param {string} prompt */
const sha256Of = (run, prompt) => createHash("sha256").update(`[run ${run}]\n${prompt}`).digest("hex");
