import { constants } from "node:fs";
import { copyFile, link, lstat, readlink, symlink } from "node:fs/promises";
import { isSystemError } from "../core/errors.ts";

/**
 * Gives a file a second name, a new one: x.md, else x-2.md, x-3.md … Nothing is ever overwritten. A name that is
 * this very file's already, from before a crash, is taken for the new one. Returns the path. The folder has to be there:
 * one that is not belongs to a project that was moved away, and is not made anew.
 */
export async function placeNew(from: string, to: string): Promise<string> {
  for (let copy = 1; ; copy += 1) {
    const path = numbered(to, copy);
    try {
      await linkOrCopy(from, path);
      return path;
    } catch (error) {
      if (!isSystemError(error, "EEXIST")) throw error;
      if (await isSameFile(from, path)) return path;
    }
  }
}

/** The path of a file's nth copy. */
export function numbered(path: string, copy: number): string {
  return copy === 1 ? path : path.replace(/\.md$/, `-${copy}.md`);
}

/** Gives a file a second name that is not taken: a copy, where a mounted folder knows no hard links. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!isSystemError(error, "EPERM", "ENOTSUP", "ENOSYS", "EXDEV", "EMLINK")) throw error;
    const stats = await lstat(from);
    // What a link leads to may be anybody's, and a pipe would be waited for.
    if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (stats.isFile()) await copyFile(from, to, constants.COPYFILE_EXCL);
    else throw error;
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([lstat(one), lstat(other)]);
  return a.ino === b.ino && a.dev === b.dev;
}
