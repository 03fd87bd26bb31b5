import { statfs } from "node:fs/promises";
import type { Config } from "../../config/config.ts";
import { type Finding, ok, problem, warning } from "./check.ts";
import { nearestExisting } from "./nearest.ts";

const MEBIBYTE = 1024 * 1024;
const LOW_BYTES = 1024 * MEBIBYTE;
const EMPTY_BYTES = 100 * MEBIBYTE;
const LOW_FILES = 10_000;
const MEND = "free some space: without it, results cannot be written";

/** The room on the disks that the queue writes to. */
export async function lookAtDisk({ stateDir, projectsDir }: Config): Promise<Finding[]> {
  const paths = await Promise.all([stateDir, ...(projectsDir === null ? [] : [projectsDir])].map(nearestExisting));
  return await Promise.all([...new Set(paths)].map(room));
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
