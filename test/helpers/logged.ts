import { z } from "zod";
import type { Daemon } from "./daemon.ts";

const line = z.looseObject({
  level: z.number(),
  time: z.number(),
  msg: z.string().default(""),
  code: z.string().optional(),
  hint: z.string().optional(),
  task: z.string().optional(),
  event: z.looseObject({ type: z.string() }).optional(),
});

/** A line of a daemon's log. */
export type LogLine = z.infer<typeof line>;

/** What a daemon has logged so far; 50 is the level of an error. */
export function logged(daemon: Daemon): LogLine[] {
  const lines = daemon.output().split("\n").slice(0, -1);
  return lines.map((text) => line.parse(JSON.parse(text)));
}
