import { type BigIntStats, promises as fs } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import { openForWriting } from "./open-files.ts";

/** How long a file that is written in place must have been left alone before it counts as complete. */
export const SETTLE_MS = 200;

/** One look at a file: what tells its content of now from that of another moment. */
export interface Sighting {
  readonly path: string;
  readonly name: string;
  readonly stats: BigIntStats;
}

/** Looks at a file itself, not at what it may link to; null when it is gone, or a directory. */
export async function sight(path: string): Promise<Sighting | null> {
  const stats = await fs.lstat(path, { bigint: true }).catch(() => null);
  return stats === null || stats.isDirectory() ? null : { path, name: basename(path), stats };
}

/** Equal for two looks exactly when nothing was written or replaced between them. A claim and its return change nothing. */
export function fingerprint({ stats }: Sighting): string {
  return [stats.ino, stats.size, stats.mtimeNs].join("-");
}

/**
 * A rename changes ctime alone, so this file was complete before it came here: nothing to wait for. Of an empty one that
 * proves nothing: a copy may set the rights of its file before it writes.
 */
export function isMovedIn({ stats }: Sighting): boolean {
  return stats.size > 0n && stats.ctimeNs > stats.mtimeNs;
}

/**
 * Whether file events can prove this file whole. inotify tells of a name before anything is written under it, and of
 * each write once it was made; a link's target is none of its business.
 */
export function isToldOf({ stats }: Sighting): boolean {
  return process.platform === "linux" && stats.isFile() && stats.size > 0n;
}

/**
 * How much longer to leave a file alone that may still be written, 0 when it has settled.
 * A timestamp from the future (another machine's clock) waits the whole time.
 */
export function unsettledMs({ stats }: Sighting, nowMs: number): number {
  const ageMs = nowMs - Number(stats.ctimeMs);
  return Math.min(SETTLE_MS, Math.max(0, SETTLE_MS - Math.max(0, ageMs)));
}

/** Which of these settled files nobody holds open for writing any more. */
export async function released(sightings: readonly Sighting[]): Promise<Sighting[]> {
  const real = await Promise.all(sightings.map(({ path }) => writtenAt(path)));
  const held = await openForWriting(real.filter((path) => path !== null));
  return sightings.filter((_, index) => !held.has(real[index] ?? ""));
}

/** Where a file's text is, behind all links; null is no file. Somebody always writes to a terminal or to /dev/null. */
async function writtenAt(path: string): Promise<string | null> {
  const isFile = await fs.stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
  return isFile ? await realpath(path).catch(() => path) : null;
}

/** Whether a file may be read now, for good: moved in whole, or settled and written by nobody. */
export async function isComplete(sighting: Sighting, nowMs: number): Promise<boolean> {
  if (isMovedIn(sighting)) return true;
  if (unsettledMs(sighting, nowMs) > 0) return false;
  return (await released([sighting])).length > 0;
}
