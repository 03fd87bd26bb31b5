import { z } from "zod";
import { FOREVER_MS, type Hold } from "../core/verdict.ts";

const time = z.iso.datetime();

/** Why the pool gives out no tasks. `manual` = somebody said so. */
export const holdView = z.object({
  kind: z.enum(["limit", "login", "manual"]),
  since: time,
  /** null = until somebody resumes it. After that time, one task goes first as a probe. */
  until: time.nullable(),
  message: z.string(),
});
export type HoldView = Readonly<z.infer<typeof holdView>>;

export function viewHold(hold: Hold | null): HoldView | null {
  if (hold === null) return null;
  const { kind, sinceMs, untilMs, message } = hold;
  const until = untilMs === FOREVER_MS ? null : new Date(untilMs).toISOString();
  return { kind, since: new Date(sinceMs).toISOString(), until, message };
}
