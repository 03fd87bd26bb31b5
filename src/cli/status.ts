import { type Status, statusSchema } from "../control/status.ts";
import { formatDuration } from "../core/duration.ts";
import { cleanLine } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { cutToWidth } from "./fit-width.ts";
import { PLAIN, paintState, paintStates, type Screen } from "./screen.ts";
import { showStatus, type ViewOptions } from "./show-status.ts";
import { table } from "./table.ts";

export interface StatusOptions extends ViewOptions {
  readonly config?: string;
  /** Every host on this Redis, of every workspace. */
  readonly all?: true;
}

/** The cells of a run that are cut where the terminal is too narrow: TASK and MODEL. */
const FLEXIBLE = [1, 3];
/** What is left out where that is not enough: ATTEMPT, then MODEL. */
const EXPENDABLE = [4, 3];
const PHASE = 2;

/** `ccl-queue status`: how the queue stands, on one screen. Returns the exit code. */
export async function status(options: StatusOptions): Promise<number> {
  const { get } = await daemonOf(options.config);
  if (options.all) return await (await import("./hosts.ts")).statusOfAll(get, options);
  return await showStatus(
    {
      look: async () => await get("/watchdog/status", statusSchema),
      describe: describeStatus,
      isWell: ({ verdict }) => verdict === "ok",
    },
    options,
  );
}

/** The screen, line by line. */
export function describeStatus(found: Status, screen: Screen = PLAIN): string[] {
  const { verdict, reasons, sessions, queues, delegation, runs } = found;
  const states = count(sessions.map(({ state }) => state));
  const [first = "", ...lines] = [
    `${verdict}: ${states.get("busy") ?? 0} of ${sessions.length} sessions busy${others(states)}`,
    ...reasons.map((reason) => `  ${cleanLine(reason)}`),
    `waiting: ${waiting(queues.local)}${delayed(queues.local)}`,
    ...(delegation.configured || delegation.active > 0 ? [delegated(found)] : []),
  ].map((line) => cutToWidth(line, screen.columns));
  return [
    paintState(screen, verdict) + first.slice(verdict.length),
    ...lines,
    ...(runs.length === 0 ? [] : ["", ...runTable(runs, screen)]),
  ];
}

function waiting({ waiting, oldest_ms }: Status["queues"]["local"]): string {
  return oldest_ms === null ? "no task" : `${tasks(waiting)}, the oldest for ${formatDuration(oldest_ms)}`;
}

function delayed({ delayed }: Status["queues"]["local"]): string {
  return delayed === 0 ? "" : `; ${tasks(delayed)} tried again later`;
}

function delegated({ delegation, queues }: Status): string {
  const { active, completed, failed, fallback, cost_usd } = delegation;
  const cost = Object.values(cost_usd).reduce((sum, part) => sum + part, 0);
  const done = `${completed} done, ${failed} failed, ${fallback} fell back so far for $${cost.toFixed(2)}`;
  return `delegated: ${active} out, ${queues.delegated.waiting} waiting; ${done}`;
}

function runTable(runs: Status["runs"], screen: Screen): string[] {
  const rows = runs.map(({ session, task, phase, model, attempt, silent_ms, stale }) =>
    [session, task, stale ? `${phase}, stale` : phase, model, String(attempt), formatDuration(silent_ms)].map(
      cleanLine,
    ),
  );
  return table([["SESSION", "TASK", "PHASE", "MODEL", "ATTEMPT", "SILENT FOR"], ...rows], {
    columns: screen.columns,
    flexible: FLEXIBLE,
    expendable: EXPENDABLE,
    paint: paintStates(screen, PHASE),
  });
}

function others(states: ReadonlyMap<string, number>): string {
  const shown = [...states].filter(([state]) => state !== "busy").map(([state, sessions]) => `${sessions} ${state}`);
  return shown.length === 0 ? "" : `, ${shown.join(", ")}`;
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function tasks(number: number): string {
  return number === 1 ? "1 task" : `${number} tasks`;
}
