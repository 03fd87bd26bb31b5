import { mkdirSync, watch } from "node:fs";
import { join } from "node:path";

/**
 * The bound: the least that any queue has to do. A file event leads straight to the agent's start in a pane.
 * @param {import("./sandbox.js").Sandbox} sandbox
 * @param {string[]} agent
 */
export async function openBarePane({ dir, tmux }, agent) {
  const inbox = join(dir, "bare");
  mkdirSync(inbox);
  await tmux("new-session", "-d", "-s", "bare", "-x", "200", "-y", "50");
  await tmux("set-option", "-w", "-t", "bare", "remain-on-exit", "on");
  let isArmed = true;
  const watcher = watch(inbox, () => {
    if (isArmed) tmux("respawn-pane", "-k", "-t", "bare", ...agent).catch(console.error);
    isArmed = false;
  });
  return {
    inbox,
    /** Hands the pane back as an idle shell; the next event starts the agent again. */
    rearm: async () => {
      await tmux("respawn-pane", "-k", "-t", "bare", "/bin/sh", "-l");
      isArmed = true;
    },
    close: async () => watcher.close(),
  };
}
