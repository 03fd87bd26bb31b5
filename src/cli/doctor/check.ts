import type { Config } from "../../config/config.ts";

/** One thing that a check has found. `mend` = what to do about it, null where nothing. */
export interface Finding {
  readonly level: "ok" | "warning" | "problem";
  readonly found: string;
  readonly mend: string | null;
}

/** A look at one thing that the queue needs. */
export interface Check {
  readonly name: string;
  readonly look: (config: Config) => Promise<Finding[]>;
}

/** All is well. */
export function ok(found: string): Finding {
  return { level: "ok", found, mend: null };
}

/** The queue works, but not as well as it could, or not yet. */
export function warning(found: string, mend: string): Finding {
  return { level: "warning", found, mend };
}

/** The queue does not work like that. */
export function problem(found: string, mend: string): Finding {
  return { level: "problem", found, mend };
}
