import { lstat, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import type { TaskFile } from "../core/task.ts";
import { claimedPath, taskPath } from "./layout.ts";
import { MAX_TASK_BYTES, type ParsedTask, parseTask } from "./parse-task.ts";
import { readRegular } from "./regular-file.ts";

/** A name may have 255 bytes, and a claimed file's has a suffix. */
export const MAX_NAME_BYTES = 240;
/** A finished task's file also holds what the platform has said of it, 16 MiB at most, and its quotation marks. */
const MAX_ORIGINAL_BYTES = 64 * 1024 * 1024;

/** A file that may be read, or the reason why it must not be. */
type Readable =
  | { readonly ok: true; readonly path: string; readonly size: number }
  | { readonly ok: false; readonly reason: string };

/** Reads a waiting task. Whatever is wrong with the file is a reason, not an exception; a vanished file throws ENOENT. */
export async function readTask(task: TaskFile): Promise<ParsedTask> {
  if (Buffer.byteLength(task.name) > MAX_NAME_BYTES) {
    return { ok: false, reason: `its name is longer than ${MAX_NAME_BYTES} bytes` };
  }
  return await readAndParse(task.project, taskPath(task));
}

/** Reads a task that is claimed for a run. */
export async function readClaimed(task: TaskFile): Promise<ParsedTask> {
  return await readAndParse(task.project, claimedPath(task));
}

/** Reads a finished task as it would be read again. */
export async function readShelved(project: string, path: string): Promise<ParsedTask> {
  return await readAndParse(project, path);
}

/** The bytes of a task's file, none where it is no file of the project's, or larger than any of ours. */
export async function readOriginal(project: string, path: string): Promise<Buffer> {
  const file = await readable(project, path);
  const bytes = file.ok ? await readRegular(file.path, MAX_ORIGINAL_BYTES) : null;
  return bytes ?? Buffer.alloc(0);
}

async function readAndParse(project: string, path: string): Promise<ParsedTask> {
  const file = await readable(project, path);
  if (!file.ok) return file;
  if (file.size > MAX_TASK_BYTES) return { ok: false, reason: `the file is larger than 1 MiB (${file.size} bytes)` };
  const bytes = await readRegular(file.path, MAX_TASK_BYTES);
  return bytes === null ? { ok: false, reason: "it became something else while it was read" } : parseTask(bytes);
}

/** Only a regular file, or a link to one inside the project, is ever opened: a pipe would never end. */
async function readable(project: string, path: string): Promise<Readable> {
  const stats = await lstat(path);
  if (stats.isSymbolicLink()) return await linked(project, path);
  return stats.isFile() ? { ok: true, path, size: stats.size } : { ok: false, reason: "it is not a regular file" };
}

async function linked(project: string, path: string): Promise<Readable> {
  const target = await realpath(path).catch(() => null);
  if (target === null) return { ok: false, reason: "it is a link to nothing" };
  if (!target.startsWith((await realpath(project)) + sep))
    return { ok: false, reason: "it is a link that leaves the project" };
  const stats = await stat(target);
  if (!stats.isFile()) return { ok: false, reason: "it is a link to something that is not a regular file" };
  return { ok: true, path: target, size: stats.size };
}
