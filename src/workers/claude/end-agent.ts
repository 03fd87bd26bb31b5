import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessId, signal } from "../process.ts";

/** How long an agent may take to end by itself after it was asked to. */
const GRACE_MS = 5_000;
const POLL_MS = 10;

/** Ends an agent and proves that it is gone: asked first, then killed. */
export async function endAgent(agent: ProcessId): Promise<void> {
  if (!(await isAlive(agent))) return;
  signal(agent.pid, "SIGTERM");
  const deadline = performance.now() + GRACE_MS;
  while (await isAlive(agent)) {
    if (performance.now() > deadline) signal(agent.pid, "SIGKILL");
    await sleep(POLL_MS);
  }
}
