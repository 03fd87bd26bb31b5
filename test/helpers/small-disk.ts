import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Daemon } from "./daemon.ts";
import { underFileModes, underSmallDisks } from "./limits.ts";

const SIZE_KIB = 1_024;
const FILLER = "filler";

/** A disk, and the folder on it that a test is about. */
export interface Place {
  readonly disk: string;
  readonly folder: string;
}

/** A way to keep a daemon from writing. */
export interface Way {
  readonly name: string;
  /** The error that it leads to. */
  readonly code: string;
  /** The program to start the daemon under, for which each of these directories is a disk of its own. */
  under(disks: readonly string[]): readonly string[];
  /** Where we find what the daemon has at a path. */
  at(daemon: Daemon, path: string): string;
  close(daemon: Daemon, place: Place): Promise<void>;
  open(daemon: Daemon, place: Place): Promise<void>;
}

/** A disk that is really full. Only the daemon and what it starts have it, so nobody else is harmed. */
export const FULL: Way = {
  name: "on a full disk",
  code: "DISK_FULL",
  under: (disks) => underSmallDisks(disks, `${SIZE_KIB}k`) ?? [],
  at: (daemon, path) => join("/proc", String(daemon.pid), "root", path),
  async close(daemon, { disk }) {
    await fillUp(this.at(daemon, disk));
  },
  async open(daemon, { disk }) {
    await rm(join(this.at(daemon, disk), FILLER));
  },
};

/** A folder and all below it that the daemon's user may not write to. */
const FORBIDDEN: Way = {
  name: "where one may not write",
  code: "NOT_WRITABLE",
  under: () => underFileModes(),
  at: (_daemon, path) => path,
  close: async (_daemon, { folder }) => await setModes(folder, 0o500),
  open: async (_daemon, { folder }) => await setModes(folder, 0o700),
};

/** Whether disks can be mounted here, as they can where namespaces can be made. */
export const CAN_MOUNT = underSmallDisks([], "0") !== null;
/** The ways that there are on this machine. */
export const WAYS: readonly Way[] = CAN_MOUNT ? [FORBIDDEN, FULL] : [FORBIDDEN];

/** Leaves so much space on a small disk and no more. */
export async function fillUp(disk: string, leftKib = 0): Promise<void> {
  const isTooLarge = await writeFile(join(disk, FILLER), Buffer.alloc((SIZE_KIB - leftKib + 1) * 1_024)).then(
    () => leftKib === 0,
    () => false,
  );
  if (isTooLarge) throw new Error(`${disk} is no small disk`);
}

async function setModes(folder: string, mode: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), mode);
  await chmod(folder, mode);
}
