import { readdir, readFile, readlink } from "node:fs/promises";
import { execa } from "execa";

/** O_WRONLY and O_RDWR in the octal `flags:` line of /proc/PID/fdinfo/FD. */
const WRITABLE = /^flags:\s+[0-7]*[12]$/m;

/**
 * Which of these files some process holds open for writing. Processes that we may not look into count as not
 * holding any: an operator's files are written by the operator.
 */
export async function openForWriting(paths: readonly string[]): Promise<Set<string>> {
  if (paths.length === 0) return new Set();
  return process.platform === "linux" ? await inProc(new Set(paths)) : await byLsof(paths);
}

async function inProc(paths: ReadonlySet<string>): Promise<Set<string>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const held = await Promise.all(pids.map((pid) => heldBy(pid, paths)));
  return new Set(held.flat());
}

async function heldBy(pid: string, paths: ReadonlySet<string>): Promise<string[]> {
  const descriptors = await orEmpty(readdir(`/proc/${pid}/fd`));
  const held = await Promise.all(descriptors.map((fd) => writtenThrough(pid, fd, paths)));
  return held.flat();
}

async function writtenThrough(pid: string, fd: string, paths: ReadonlySet<string>): Promise<string[]> {
  const [target] = await orEmpty(readlink(`/proc/${pid}/fd/${fd}`).then((link) => [link]));
  if (target === undefined || !paths.has(target)) return [];
  const [info] = await orEmpty(readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8").then((text) => [text]));
  return info !== undefined && WRITABLE.test(info) ? [target] : [];
}

/** Processes and descriptors come and go while we look: what is gone holds nothing. */
async function orEmpty<T>(look: Promise<T[]>): Promise<T[]> {
  return await look.catch(() => []);
}

/** `lsof -F an` prints an access line (`aw`, `au`) before each name line (`n/path`). */
async function byLsof(paths: readonly string[]): Promise<Set<string>> {
  const { stdout } = await execa("lsof", ["-F", "an", "--", ...paths], { reject: false });
  const held = new Set<string>();
  let access = "";
  for (const line of stdout.split("\n")) {
    if (line.startsWith("a")) access = line.slice(1);
    if (line.startsWith("n") && (access === "w" || access === "u")) held.add(line.slice(1));
  }
  return held;
}
