import { stat, statfs } from "node:fs/promises";
import type { Config } from "../../config/config.ts";
import { listProjects } from "../../producers/projects.ts";
import { type Finding, ok, problem, warning } from "./check.ts";
import { nearestExisting } from "./nearest.ts";

const MEBIBYTE = 1024 * 1024;
const LOW_BYTES = 1024 * MEBIBYTE;
const EMPTY_BYTES = 100 * MEBIBYTE;
const LOW_FILES = 10_000;
const MEND = "free some space: without it, results cannot be written";

/** The room on the disks that the queue writes to, each named by the first place on it. */
export async function lookAtDisk({ stateDir, projectsDir, dedicated }: Config): Promise<Finding[]> {
  const projects = await listProjects({ projectsDir, listed: dedicated.map(({ project }) => project) });
  const disks = new Map<number, string>();
  for (const place of [stateDir, ...(projectsDir === null ? [] : [projectsDir]), ...projects]) {
    const path = await nearestExisting(place);
    const { dev } = await stat(path);
    if (!disks.has(dev)) disks.set(dev, path);
  }
  return await Promise.all([...disks.values()].map(room));
}

async function room(path: string): Promise<Finding> {
  const { bavail, bsize, files, ffree } = await statfs(path);
  const bytes = bavail * bsize;
  const about = `${path}: ${inWords(bytes)} free`;
  if (bytes < EMPTY_BYTES) return problem(about, MEND);
  // Some file systems do not count files.
  if (files > 0 && ffree < LOW_FILES) return warning(`${path}: room for ${ffree} more files`, MEND);
  return bytes < LOW_BYTES ? warning(about, MEND) : ok(about);
}

function inWords(bytes: number): string {
  const mebibytes = bytes / MEBIBYTE;
  return mebibytes < 1024 ? `${Math.floor(mebibytes)} MiB` : `${Math.floor(mebibytes / 1024)} GiB`;
}
