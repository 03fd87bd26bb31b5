import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Failure } from "./failure.js";
import { ROOT } from "./project.js";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */

const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Runs a command that is quiet, unless it fails. It is killed with us: what it makes counts only when it is whole.
 * @param {string} command @param {string[]} args
 */
export async function run(command, ...args) {
  const child = spawn(command, args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  await succeeded(child, () => signalGroup(child, "SIGKILL"));
}

/**
 * The same for package managers of the system: they hear of a signal and wind down, and sudo knows our terminal.
 * @param {string} command @param {string[]} args
 */
export async function runGently(command, ...args) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  await succeeded(child, (signal) => child.kill(signal));
}

/** @param {ChildProcess} child @param {(signal: NodeJS.Signals) => void} stop */
async function succeeded(child, stop) {
  /** @type {Buffer[]} */
  const output = [];
  child.stdout?.on("data", (chunk) => output.push(chunk));
  child.stderr?.on("data", (chunk) => output.push(chunk));
  const code = await ended(child, stop);
  if (code === 0) return;
  const printed = Buffer.concat(output).toString().trim();
  throw new Failure(`${printed}\n$ ${child.spawnargs.join(" ")}: exit code ${code}`, code);
}

/**
 * The exit code of a child. A signal that ends us stops the child first.
 * @param {ChildProcess} child @param {(signal: NodeJS.Signals) => void} stop
 */
export async function ended(child, stop) {
  /** @type {NodeJS.Signals | undefined} */
  let stoppedBy;
  /** @param {NodeJS.Signals} signal */
  const onSignal = (signal) => {
    stoppedBy ??= signal;
    stop(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const code = await exitCodeOf(child);
  for (const signal of SIGNALS) process.off(signal, onSignal);
  if (stoppedBy) process.exit(asExitCode(stoppedBy));
  return code;
}

/** Reaches what a detached child has started as well. @param {ChildProcess} child @param {NodeJS.Signals} signal */
export function signalGroup(child, signal) {
  try {
    process.kill(-Number(child.pid), signal);
  } catch {
    // It has ended by itself.
  }
}

/** @param {ChildProcess} child @returns {Promise<number>} */
const exitCodeOf = (child) =>
  new Promise((resolve, reject) => {
    child.on("close", (code, signal) => resolve(code ?? asExitCode(signal ?? "SIGKILL")));
    child.on("error", (error) => {
      // A signal that sudo may not be sent ends here too: only a child that never started has failed.
      if (child.pid === undefined) reject(new Failure(error.message, 127));
    });
  });

/** What a shell would report. @param {NodeJS.Signals} signal */
const asExitCode = (signal) => 128 + constants.signals[signal];
