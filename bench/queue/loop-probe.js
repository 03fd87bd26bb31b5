/**
 * For `node --import`: knows how long the event loop of its process was kept from turning at most. On SIGUSR2 it writes
 * that into the file CCL_BENCH_LOOP, and begins anew.
 */
import { renameSync, writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 5;
const file = process.env["CCL_BENCH_LOOP"] ?? "";
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let last = clocks();
let ownMs = 0;

loop.enable();
setInterval(() => {
  const now = clocks();
  // Of a turn that takes long as others have the processor, only the process's own work counts.
  ownMs = Math.max(ownMs, Math.min(now.wallMs - last.wallMs, now.cpuMs - last.cpuMs));
  last = now;
}, RESOLUTION_MS).unref();

process.on("SIGUSR2", () => {
  writeFileSync(`${file}.draft`, JSON.stringify({ longestMs: loop.max / 1e6, ownMs }));
  renameSync(`${file}.draft`, file);
  loop.reset();
  ownMs = 0;
});

function clocks() {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1_000 };
}
