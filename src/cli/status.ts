import { type Status, statusSchema } from "../control/status.ts";
import { formatDuration } from "../core/duration.ts";
import { askDaemon } from "./daemon-client.ts";
import { stateDirOf } from "./find-config.ts";
import { table } from "./table.ts";

export interface StatusOptions {
  readonly config?: string;
  readonly json?: true;
}

/** `ccl-queue status`: how the queue stands, on one screen. */
export async function status(options: StatusOptions): Promise<void> {
  const found = await askDaemon(await stateDirOf(options.config), "GET", "/watchdog/status", statusSchema);
  process.stdout.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : `${describeStatus(found).join("\n")}\n`);
}

/** The screen, line by line. */
export function describeStatus(found: Status): string[] {
  const { verdict, reasons, sessions, queues, delegation, runs } = found;
  const states = count(sessions.map(({ state }) => state));
  const lines = [
    `${verdict}: ${states.get("busy") ?? 0} of ${sessions.length} sessions busy${others(states)}`,
    ...reasons.map((reason) => `  ${reason}`),
    `waiting: ${waiting(queues.local)}${delayed(queues.local)}`,
    ...(delegation.configured || delegation.active > 0 ? [delegated(found)] : []),
    ...(runs.length === 0 ? [] : ["", ...runTable(runs)]),
  ];
  // A file's name and an agent's message may hold anything, and must not steer the terminal.
  return lines.map((line) => line.replace(/\p{Cc}/gu, " "));
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

function runTable(runs: Status["runs"]): string[] {
  const rows = runs.map(({ session, task, phase, model, attempt, silent_ms, stale }) => [
    session,
    task,
    stale ? `${phase}, stale` : phase,
    model,
    String(attempt),
    formatDuration(silent_ms),
  ]);
  return table([["SESSION", "TASK", "PHASE", "MODEL", "ATTEMPT", "SILENT FOR"], ...rows]);
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
