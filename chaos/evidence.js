import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readNotes } from "./jsonl.js";
import { folderOf, namesIn, PROJECTS } from "./places.js";

/**
 * A file in a folder of the queue.
 * @typedef {{ project: string, folder: "inbox" | "done" | "failed", name: string, text: string }} Found
 *
 * A job that the platform has accepted, as it noted itself.
 * @typedef {{ event: string, at: number, id: string, key: string, project: string, task: string, contentSha256: string }} Accepted
 *
 * An answer to a submission that has arrived.
 * @typedef {{ at: number, key: string, status: number }} Answer
 *
 * All that the checker judges by.
 * @typedef {object} Evidence
 * @property {readonly import("./journal.js").Drop[]} drops
 * @property {readonly import("./attempts.js").AgentLine[]} agents
 * @property {readonly import("./attempts.js").Life[]} lives
 * @property {readonly Accepted[]} accepted
 * @property {readonly Answer[]} answers
 * @property {readonly { at: number, until: number }[]} stops from when a daemon was made to end until the next one began
 * @property {readonly Found[]} files
 * @property {readonly string[]} ghosts what was made in the place of a project that was away
 * @property {readonly string[]} processes that were left
 * @property {readonly string[]} tagged sessions that were left with a run's tag
 * @property {number} attempts how often a task may be begun
 */

const STOPS = ["daemon killed", "daemon restarted"];

/**
 * What the agents, the platform and the folders say.
 * @param {import("./places.js").Places} places
 */
export function readEvidence({ logs, ghosts, ...places }) {
  const platform = /** @type {Accepted[]} */ (readNotes(logs.platform));
  const faults = /** @type {{ fault: string, at: number, until: number }[]} */ (readNotes(logs.faults));
  return {
    agents: /** @type {import("./attempts.js").AgentLine[]} */ (readNotes(logs.agents)),
    lives: /** @type {import("./attempts.js").Life[]} */ (readNotes(logs.lives)),
    accepted: platform.filter(({ event }) => event === "accepted"),
    answers: /** @type {Answer[]} */ (readNotes(logs.answers)),
    stops: faults.filter(({ fault }) => STOPS.includes(fault)),
    files: PROJECTS.flatMap((project) => filesOf({ logs, ghosts, ...places }, project)),
    ghosts: namesIn(ghosts).map((name) => `${name} (${treeOf(join(ghosts, name)).join(", ")})`),
  };
}

/** @param {string} dir */
const treeOf = (dir) => readdirSync(dir, { recursive: true, encoding: "utf8" });

/** @param {import("./places.js").Places} places @param {string} project @returns {Found[]} */
function filesOf(places, project) {
  return /** @type {const} */ (["inbox", "done", "failed"]).flatMap((folder) => {
    const path = folderOf(places, project, folder);
    return namesIn(path).map((name) => ({ project, folder, name, text: readFileSync(join(path, name), "utf8") }));
  });
}
