import { z } from "zod";
import { type SessionView, sessionView } from "../control/session-view.ts";
import { formatDuration } from "../core/duration.ts";
import { cleanLine } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { printJson, printLines } from "./print.ts";
import { paintStates, type Screen, screenOf } from "./screen.ts";
import { table } from "./table.ts";

export interface SessionsOptions {
  readonly config?: string;
  readonly json?: true;
}

/** The answer of `GET /api/sessions`. */
export const sessionList = z.object({ sessions: z.array(sessionView) });
/** The cells that are cut where the terminal is too narrow: TASK and MODEL. */
const FLEXIBLE = [2, 4];
/** What is left out where that is not enough: ATTEMPT, then MODEL, then FOR. */
const EXPENDABLE = [5, 4, 6];
const STATE = 1;

/** `ccl-queue sessions`: the sessions of the pool, and what runs in them. */
export async function sessions(options: SessionsOptions): Promise<void> {
  const { get } = await daemonOf(options.config);
  const found = await get("/api/sessions", sessionList);
  if (options.json) return printJson(found);
  printLines(describeSessions(found.sessions, screenOf(process.stdout), Date.now()));
}

/** The sessions as lines. */
export function describeSessions(found: readonly SessionView[], screen: Screen, nowMs: number): string[] {
  if (found.length === 0) return ["no sessions"];
  const rows = found.map(({ name, state, run }) => {
    if (run === null) return [name, state];
    const { task, phase, model, attempt, started_at, silent_ms } = run;
    const forMs = Math.max(0, nowMs - Date.parse(started_at));
    return [name, state, task, phase, model, String(attempt), formatDuration(forMs), formatDuration(silent_ms)];
  });
  const cells = rows.map((row) => row.map(cleanLine));
  return table([["SESSION", "STATE", "TASK", "PHASE", "MODEL", "ATTEMPT", "FOR", "SILENT FOR"], ...cells], {
    columns: screen.columns,
    flexible: FLEXIBLE,
    expendable: EXPENDABLE,
    paint: paintStates(screen, STATE),
  });
}
