import { setUp } from "./setup.js";

const BENCHMARKS = {
  "drop-to-launch": async () => await import("../bench/drop-to-launch.js"),
  operate: async () => await import("../bench/operate.js"),
  endurance: async () => await import("../bench/endurance.js"),
};
/** Takes too long to be run with the others. */
const ONLY_BY_NAME = ["endurance"];

await setUp();
const [, , name = ""] = process.argv;
const isNamed = Object.hasOwn(BENCHMARKS, name);
// What follows is the benchmark's own.
if (isNamed) process.argv.splice(2, 1);
for (const [known, run] of Object.entries(BENCHMARKS)) {
  if (isNamed ? known === name : !ONLY_BY_NAME.includes(known)) await run();
}
