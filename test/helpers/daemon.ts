import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { QueueFixture } from "./queue-fixture.ts";
import { until } from "./until.ts";

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;

/** A `ccl-queue` process of its own. */
export interface Daemon {
  readonly pid: number;
  /** What it printed so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  hasEnded(): boolean;
  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | string>;
}

/** Runs `ccl-queue` with these arguments. */
export function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cwd?: string,
): Daemon {
  return runScript(MAIN, args, environment, cwd);
}

/** Runs any program of ours the same way; `under` is a program that starts it, with its arguments. */
export function runScript(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cwd?: string,
  under: readonly string[] = [],
): Daemon {
  const env = { ...process.env, REDIS_URL: "", CCL_QUEUE_CONFIG: "", ...environment };
  const [program = "", ...rest] = [...under, process.execPath, script, ...args];
  const child: ChildProcess = spawn(program, rest, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit").then(([code, signal]: (number | string | null)[]) => code ?? signal ?? "");
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    pid: child.pid ?? 0,
    output: () => output,
    signal: (name) => child.kill(name),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    ended: async () => await exited,
  };
}

/** Starts the daemon on a configuration, under another program where one is given, and waits until it watches. */
export async function startDaemon(
  configFile: string,
  environment: Readonly<Record<string, string>>,
  under: readonly string[] = [],
): Promise<Daemon> {
  const daemon = runScript(MAIN, ["start", "--config", configFile], environment, undefined, under);
  await untilItWatches(daemon).catch(async (error: unknown) => {
    // Nobody else knows of it.
    daemon.signal("SIGKILL");
    await daemon.ended();
    throw error;
  });
  return daemon;
}

/** Rejects with what it said instead. */
export async function untilItWatches(daemon: Daemon): Promise<void> {
  const watches = () => daemon.output().includes("watching ");
  await until("the daemon watches", () => watches() || daemon.hasEnded()).catch(() => {});
  if (!watches()) throw new Error(`the daemon ${daemon.hasEnded() ? "ended" : "hangs"}: ${daemon.output()}`);
}

/** Ends the daemons of a queue, and what a killed one has left: its Redis and its agents. */
export async function endDaemons(
  queue: QueueFixture,
  daemons: readonly Daemon[],
  signal: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  for (const daemon of daemons) {
    daemon.signal(signal);
    await daemon.ended();
  }
  // Starting the same queue once more takes over what runs.
  await queue.app.start();
  await queue.stop();
}
