import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";

/** Tells a folder from one that took its place. */
export function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino} ${birthtimeMs}`;
}

/** The folder that is there; null where there is none, or one that cannot be reached. */
export async function identityAt(directory: string): Promise<string | null> {
  return await stat(directory).then(identityOf, () => null);
}
