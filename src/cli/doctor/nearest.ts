import { access } from "node:fs/promises";
import { dirname } from "node:path";

/** A directory, or the innermost of those above it that is there. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const isThere = await access(at).then(
      () => true,
      () => false,
    );
    if (isThere || at === dirname(at)) return at;
  }
}
