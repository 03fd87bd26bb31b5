import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { figuresOf } from "./figures.js";
import { openFleet } from "./fleet.js";

const SIZES = { whole: { rounds: 9, waiting: 100 }, smoke: { rounds: 1, waiting: 3 } };
const LIMIT = 4;
const COMMANDS = [["list"], ["status"], ["add", "--project", "alpha", "Do it."]];
const NODE = ["-e", "0"];

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "commands",
  title: "the slowest of list, status and add, while 100 tasks wait",
  against: "node -e 0",
  async run({ size, signal }) {
    const { rounds, waiting } = SIZES[size];
    const fleet = await openFleet({ sessions: 1, tasks: 1 + waiting, done: 0 });
    try {
      await measureRound(fleet);
      const measured = [];
      for (let round = 0; round < rounds; round += 1) {
        signal.throwIfAborted();
        measured.push(await measureRound(fleet));
      }
      return resultOf(measured);
    } finally {
      await fleet.close();
    }
  },
};

/** What node and each of the commands took, in ms. @param {Awaited<ReturnType<typeof openFleet>>} fleet */
async function measureRound(fleet) {
  const node = await time(() => promisify(execFile)(process.execPath, NODE));
  const commands = [];
  for (const command of COMMANDS) commands.push(await time(() => fleet.command(command)));
  return { node, commands };
}

/** @param {() => Promise<unknown>} act */
async function time(act) {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}

/**
 * @param {readonly { node: number, commands: readonly number[] }[]} measured
 * @returns {import("./benchmark.js").Result}
 */
function resultOf(measured) {
  const theirs = measured.map(({ node }) => node);
  const nodeMs = figuresOf(theirs).median;
  const medians = COMMANDS.map(([verb = ""], index) => ({
    verb,
    ms: figuresOf(measured.map(({ commands }) => commands[index] ?? Number.NaN)).median,
  }));
  return {
    unit: "ms",
    ours: measured.map(({ commands }) => Math.max(...commands)),
    theirs,
    bounds: medians.map(({ verb, ms }) => ({ what: verb, value: ms / nodeMs, is: "at most", limit: LIMIT, unit: "x" })),
    notes: [`Medians: ${medians.map(({ verb, ms }) => `${verb} ${ms.toFixed(0)} ms`).join(", ")}.`],
  };
}
