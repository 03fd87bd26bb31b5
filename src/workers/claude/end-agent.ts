import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessId, processOf, signal } from "../process.ts";

/** What is tried one after the other, and how long each may take. The last is waited for without end. */
const ASK: readonly Step[] = [{ name: "SIGTERM", graceMs: 5_000 }];
/** An agent that hangs is interrupted first, as a person would. */
const INTERRUPT: readonly Step[] = [{ name: "SIGINT", graceMs: 3_000 }, ...ASK];
const POLL_MS = 10;
/** What is started while the others are ended is found by the next look; what never stops starting is given up. */
const MAX_LOOKS = 10;

interface Step {
  readonly name: NodeJS.Signals;
  readonly graceMs: number;
}

/** Ends an agent whose work is done and proves that it is gone: asked first, then killed. */
export async function endAgent(agent: ProcessId): Promise<void> {
  await endProcess(agent, ASK);
}

/**
 * Ends an agent in the middle of its work, with everything it has started: a command that outlives its agent would
 * get in the way of the next attempt. `runDir` is what all of them carry in their environment.
 */
export async function endAgentTree(agent: ProcessId | null, runDir: string): Promise<void> {
  if (agent !== null) await endProcess(agent, INTERRUPT);
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const left = await startedBy(runDir);
    if (left.length === 0) return;
    await Promise.all(left.map((process) => endProcess(process, ASK)));
  }
}

async function endProcess(target: ProcessId, steps: readonly Step[]): Promise<void> {
  for (const { name, graceMs } of steps) {
    if (!isAlive(target)) return;
    signal(target.pid, name);
    if (await isGoneWithin(target, graceMs)) return;
  }
  signal(target.pid, "SIGKILL");
  while (isAlive(target)) await sleep(POLL_MS);
}

async function isGoneWithin(target: ProcessId, graceMs: number): Promise<boolean> {
  const deadline = performance.now() + graceMs;
  while (isAlive(target)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Every living process with this run in its environment. None are known where there is no /proc. */
async function startedBy(runDir: string): Promise<ProcessId[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.split("\0").includes(`CCL_QUEUE_RUN=${runDir}`) ? processOf(Number(pid)) : null;
    }),
  );
  return found.filter((process) => process !== null);
}
