import { readFileSync } from "node:fs";
import { isSystemError } from "../core/errors.ts";

/** A process as one tells it from a later one with the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat; null where the system has no /proc. */
  readonly startTime: string | null;
}

/** Whether exactly this process still runs. One that ended and was not reaped yet does not. */
export function isAlive({ pid, startTime }: ProcessId): boolean {
  const stat = readStat(pid);
  if (stat === null) return process.platform !== "linux" && exists(pid);
  return (startTime === null || stat.startTime === startTime) && stat.state !== "Z" && stat.state !== "X";
}

/** The process that has a pid now, or null when none has. */
export function processOf(pid: number): ProcessId | null {
  const stat = readStat(pid);
  return stat === null ? null : { pid, startTime: stat.startTime };
}

/** Whether a pane's shell waits at its prompt: nothing it started holds the terminal. Assumed where there is no /proc. */
export function holdsTerminal(pid: number): boolean {
  const stat = readStat(pid);
  return stat === null ? process.platform !== "linux" : stat.foreground === pid;
}

/** Sends a signal; a process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone, which is what every signal of ours is for.
  }
}

/** It is no disk that answers: waiting for it takes less than asking another thread. */
function readStat(pid: number): { state: string; foreground: number; startTime: string } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The name, in parentheses, may hold anything: the fields are counted from its end, where field 3 begins.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", foreground: Number(fields[5]), startTime: fields[19] ?? "" };
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isSystemError(error, "EPERM");
  }
}
