import { access } from "node:fs/promises";
import { dirname } from "node:path";

/** A directory, or the innermost of those above it that is there. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) if ((await isThere(at)) || at === dirname(at)) return at;
}

export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
