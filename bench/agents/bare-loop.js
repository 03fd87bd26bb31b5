import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSandbox } from "../sandbox.js";
import { agentOf, untilEnded } from "./stamps.js";

const HOOK = fileURLToPath(new URL("../../libexec/hook.sh", import.meta.url));
/** $1 times, the agent, with what the queue would have left for it. */
const LOOP = 'n=$1; shift; for i in $(seq "$n"); do "$@" --session-id none < "$CCL_QUEUE_RUN/prompt.md"; done';

/**
 * Runs agents with no queue: in a pane, a loop of bash starts the same agent again and again. Returns their stamps.
 * @param {number} times @param {import("./stamps.js").Habits} habits @param {AbortSignal} signal
 */
export async function bareLoop(times, habits, signal) {
  const { dir, tmux, close } = openSandbox();
  try {
    const run = join(dir, "run");
    mkdirSync(join(run, "events"), { recursive: true });
    writeFileSync(join(run, "prompt.md"), "[run bare]\nbare\n");
    writeFileSync(join(run, "hook.sh"), `. ${HOOK}\n`);
    const log = join(dir, "agents.jsonl");
    const loop = ["bash", "-c", LOOP, "bash", String(times), ...agentOf(log, habits)];
    const environment = ["-e", `CCL_QUEUE_RUN=${run}`];
    await tmux("new-session", "-d", "-s", "bare", ...environment, "-x", "200", "-y", "50", ...loop);
    return await untilEnded(log, times, signal);
  } finally {
    await close();
  }
}
