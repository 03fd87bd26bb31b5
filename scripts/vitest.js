import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { packagedProgram, ROOT } from "./project.js";
import { ended, signalGroup } from "./run.js";

/** @typedef {import("../test/helpers/closing-line.ts").Counts} Counts */

const CLOSING_LINE = fileURLToPath(new URL("../test/helpers/closing-line.ts", import.meta.url));

/** Runs the tests of these projects, and ends with the closing line. @param {string[]} projects @param {string[]} args */
export async function runTests(projects, args) {
  close(await countTests(projects, args));
}

/** Runs the tests of these projects, and counts them. @param {string[]} projects @param {string[]} args */
export async function countTests(projects, args) {
  const selected = args.some((arg) => arg.startsWith("--project")) ? [] : projects.map((name) => `--project=${name}`);
  const reporters = ["--reporter=default", `--reporter=${CLOSING_LINE}`];
  const vitest = spawn(packagedProgram("vitest"), ["run", ...selected, ...reporters, ...args], {
    cwd: ROOT,
    // A group of its own: vitest alone would leave its workers behind when it is stopped.
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  // A run that ends without a word has failed.
  /** @type {Counts} */
  let counts = { passed: 0, failed: 1 };
  vitest.on("message", (message) => {
    counts = /** @type {Counts} */ (message);
  });
  const exitCode = await ended(vitest, (signal) => signalGroup(vitest, signal));
  return exitCode !== 0 && counts.passed > 0 ? { ...counts, failed: Math.max(counts.failed, 1) } : counts;
}

/** The last line of every test run, and the exit code that goes with it. @param {Counts} counts */
export function close({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
}
