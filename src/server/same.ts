import { createHash, timingSafeEqual } from "node:crypto";

/** Whether two texts are the same, compared by hashes of equal length in constant time. */
export function isSame(shown: string, expected: string): boolean {
  return timingSafeEqual(digest(shown), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
