import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.js";

const PROBE = new URL("loop-probe.js", import.meta.url).href;

/**
 * How a daemon is started so that it can be asked for the longest turns of its event loop.
 * @param {string} dir
 */
export function openLoop(dir) {
  const file = join(dir, "loop.json");
  return {
    nodeArgs: ["--import", PROBE],
    environment: { CCL_BENCH_LOOP: file },
    /**
     * The longest turn since the last time: by the clock, and of that what the process itself worked.
     * @param {number} pid @param {AbortSignal} signal
     * @returns {Promise<{ longestMs: number, ownMs: number }>}
     */
    async longest(pid, signal) {
      rmSync(file, { force: true });
      process.kill(pid, "SIGUSR2");
      await until("the probe answers", () => existsSync(file), signal);
      return JSON.parse(readFileSync(file, "utf8"));
    },
  };
}
