import { readFileSync } from "node:fs";

/** The kernel counts a process's time in hundredths of a second. */
const TICK_MS = 10;
const KIB_IN_MB = 1_024 / 1e6;

/** The time that a process has spent, its own and the system's for it. @param {number} pid */
export function cpuMsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [utime = 0, stime = 0] = fields.slice(11, 13).map(Number);
  return (utime + stime) * TICK_MS;
}

/** What a process holds in memory, in MB. @param {number} pid */
export function rssMbOf(pid) {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * KIB_IN_MB;
}
