import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** @typedef {ReturnType<typeof makePlaces>} Places */

export const PROJECTS = /** @type {const} */ (["alpha", "beta", "gamma"]);

/** What stands where in the sandbox. Everything but `projects` is out of the queue's sight. @param {string} dir */
export function makePlaces(dir) {
  const places = {
    dir,
    projects: join(dir, "projects"),
    /** Files that the author has not moved in yet. */
    drafts: join(dir, "drafts"),
    /** Files that the author has taken out of an inbox. */
    trash: join(dir, "trash"),
    /** Projects that are somewhere else for a while. */
    away: join(dir, "away"),
    /** What stood in a project's place when it came back. */
    ghosts: join(dir, "ghosts"),
    home: join(dir, "home"),
    redis: join(dir, "redis"),
    logs: {
      agents: join(dir, "agents.jsonl"),
      lives: join(dir, "lives.jsonl"),
      platform: join(dir, "platform.jsonl"),
      answers: join(dir, "answers.jsonl"),
      author: join(dir, "author.jsonl"),
      faults: join(dir, "faults.jsonl"),
    },
  };
  for (const name of /** @type {const} */ (["projects", "drafts", "trash", "away", "ghosts", "home", "redis"]))
    mkdirSync(places[name]);
  for (const project of PROJECTS) mkdirSync(folderOf(places, project, "inbox"), { recursive: true });
  return places;
}

/** @param {Places} places @param {string} project @param {"inbox" | "done" | "failed"} folder */
export function folderOf(places, project, folder) {
  return join(places.projects, project, ".agent-queue", folder);
}

/** The names in a folder; none where it is not there. @param {string} folder */
export function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** How many tasks run, here or with the platform, and how many wait. @param {Places} places */
export function countTasks(places) {
  const names = PROJECTS.flatMap((project) => namesIn(folderOf(places, project, "inbox")));
  const running = names.filter((name) => /\.(dispatched|delegated)$/.test(name)).length;
  const delegated = names.filter((name) => name.endsWith(".delegated")).length;
  const files = names.filter((name) => name.endsWith(".md") && !name.startsWith(".")).length;
  return { running, waiting: Math.max(0, files - delegated) };
}
