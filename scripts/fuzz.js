import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { Failure, orExit } from "./failure.js";
import { ROOT } from "./project.js";
import { setUp } from "./setup.js";
import { close } from "./vitest.js";

const USAGE = "npm run fuzz -- [--inputs N] [--seed N]";
const MAX_SEED = 1_000_000_000;

const options = await orExit(readOptions);
await setUp();
await fuzz(options);

/** @returns {{ inputs: number, seed: number }} */
function readOptions() {
  const options = /** @type {const} */ ({ inputs: { type: "string" }, seed: { type: "string" } });
  const { values, positionals } = parseArgs({ options, strict: false });
  const unknown = [...positionals, ...Object.keys(values).filter((name) => !Object.hasOwn(options, name))];
  if (unknown.length > 0) throw new Failure(`ccl-queue: ${unknown.join(" ")} is not known: ${USAGE}`);
  const { inputs = "100000", seed = String(randomInt(1, MAX_SEED)) } = values;
  return { inputs: toNumber(inputs), seed: toNumber(seed) };
}

/** @param {string | boolean} text */
function toNumber(text) {
  const number = typeof text === "string" && /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number === 0) throw new Failure(`ccl-queue: ${text} is no number of inputs and no seed: ${USAGE}`);
  return number;
}

/** Runs the properties with so many inputs each. @param {{ inputs: number, seed: number }} given */
async function fuzz({ inputs, seed }) {
  console.error(`ccl-queue: ${inputs} inputs for each property; the same again: --inputs ${inputs} --seed ${seed}`);
  // Only now: the setup may have to install it first.
  const { startVitest } = await import("vitest/node");
  const vitest = await startVitest("test", ["test/hostile/"], {
    root: ROOT,
    watch: false,
    project: ["hostile"],
    testTimeout: 0,
    provide: { fuzz: { inputs, seed } },
  });
  const tests = vitest.state.getTestModules().flatMap((module) => [...module.children.allTests()]);
  const passed = tests.filter((test) => test.ok()).length;
  const broken =
    vitest.state.getUnhandledErrors().length + vitest.state.getTestModules().filter((it) => !it.ok()).length;
  await vitest.close();
  close({ passed, failed: Math.max(tests.length - passed, broken) });
}
