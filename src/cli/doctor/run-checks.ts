import type { Config } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import { type Check, type Finding, problem } from "./check.ts";
import { lookAtClaude } from "./claude.ts";
import { lookAtClock } from "./clock.ts";
import { lookAtDaemon } from "./daemon.ts";
import { lookAtProjects, lookAtStateDir } from "./directories.ts";
import { lookAtDisk } from "./disk.ts";
import { lookAtNode } from "./node.ts";
import { lookAtPort } from "./port.ts";
import { lookAtRedis } from "./redis.ts";
import { lookAtTmux } from "./tmux.ts";
import { lookAtWatches } from "./watches.ts";

/** What is looked at, in the order in which it is told. */
export const CHECKS: readonly Check[] = [
  { name: "node", look: lookAtNode },
  { name: "tmux", look: lookAtTmux },
  { name: "claude", look: lookAtClaude },
  { name: "redis", look: lookAtRedis },
  { name: "clock", look: lookAtClock },
  { name: "state", look: lookAtStateDir },
  { name: "projects", look: lookAtProjects },
  { name: "disk", look: lookAtDisk },
  { name: "watches", look: lookAtWatches },
  { name: "port", look: lookAtPort },
  { name: "daemon", look: lookAtDaemon },
];

export interface Checked extends Finding {
  readonly check: string;
}

/** Looks at everything at the same time. A check that fails, or takes too long, is a problem of its own. */
export async function runChecks(checks: readonly Check[], config: Config, timeoutMs: number): Promise<Checked[]> {
  const all = await Promise.all(
    checks.map(async ({ name, look }) => {
      const findings = await inTime(look(config), timeoutMs).catch((error: unknown): Finding[] => [
        problem(`cannot be checked: ${messageOf(error)}`, "try again; if that lasts, report it"),
      ]);
      return findings.map((finding) => ({ check: name, ...finding }));
    }),
  );
  return all.flat();
}

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
