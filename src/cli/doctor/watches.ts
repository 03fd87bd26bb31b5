import { readFile } from "node:fs/promises";
import type { Config } from "../../config/config.ts";
import { listProjects } from "../../producers/projects.ts";
import { type Finding, ok, warning } from "./check.ts";

const LIMITS = "/proc/sys/fs/inotify";
/** A project, its .agent-queue and its inbox, each maybe with what other programs of the user watch. */
const WATCHES_A_PROJECT = 10;
const OTHER_PROGRAMS = 1_000;

/** How many directories Linux lets a user watch. Where it is not enough, only the sweep finds files. */
export async function lookAtWatches({ projectsDir, dedicated }: Config): Promise<Finding[]> {
  const text = await readFile(`${LIMITS}/max_user_watches`, "utf8").catch(() => null);
  if (text === null) return [];
  const projects = await listProjects({ projectsDir, listed: dedicated.map(({ project }) => project) });
  const needed = OTHER_PROGRAMS + projects.length * WATCHES_A_PROJECT;
  const about = `this user may watch ${text.trim()} directories`;
  if (Number(text) >= needed) return [ok(about)];
  return [
    warning(`${about}, and the projects need up to ${needed}`, `sysctl fs.inotify.max_user_watches=${needed * 2}`),
  ];
}
