import { constants } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";

/** follow = the file may be behind a link. */
type Links = "follow" | "refuse";

/** Most files are small, and many are read at once. */
const FIRST_BYTES = 4 * 1024;
const CHUNK_BYTES = 64 * 1024;
const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

/**
 * Opens a regular file for reading; null is anything else: a pipe would be waited for, a device never ends. What is put
 * in its place in this very moment is not waited for either. A file that is gone throws ENOENT.
 */
export async function openRegular(path: string, links: Links): Promise<FileHandle | null> {
  const stats = links === "follow" ? await stat(path) : await lstat(path);
  if (!stats.isFile()) return null;
  const handle = await open(path, O_RDONLY | O_NONBLOCK | (links === "follow" ? 0 : O_NOFOLLOW));
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  return null;
}

/** A regular file's bytes; null is anything else, and a file that has more than so many. */
export async function readRegular(path: string, maxBytes: number, links: Links = "refuse"): Promise<Buffer | null> {
  const handle = await openRegular(path, links);
  if (handle === null) return null;
  try {
    return await readUpTo(handle, maxBytes);
  } finally {
    await handle.close();
  }
}

/** null when it has more. The size that a file states is none that it has to keep to. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let space = Buffer.allocUnsafe(FIRST_BYTES);
  for (let size = 0; size <= maxBytes; ) {
    const { bytesRead } = await handle.read({ buffer: space, position: null });
    if (bytesRead === 0) return Buffer.concat(chunks);
    chunks.push(space.subarray(0, bytesRead));
    size += bytesRead;
    space = bytesRead < space.length ? space.subarray(bytesRead) : Buffer.allocUnsafe(CHUNK_BYTES);
  }
  return null;
}
