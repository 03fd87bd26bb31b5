import type { Sighting } from "./completeness.ts";

/** For so long somebody may still be at it. */
export const AT_WORK_MS = 15_000;

/** Whether somebody may still be at what this hidden file is for, or a crash cut it short. */
export function isAtWork({ stats }: Sighting): boolean {
  return Date.now() - Number(stats.ctimeMs) < AT_WORK_MS;
}
