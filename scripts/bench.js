/**
 * Measures the queue against what the machine can do, in pairs and in one run.
 *
 *     npm run bench -- [NAME…] [--smoke] [--assert]
 *
 * All of them rewrite the table and the plots of docs/performance.md. --smoke makes them so small that they only show
 * that they run; --assert ends with 1 when a bound is missed. `operate`, `endurance` and `redis-kills`
 * are programs of their own.
 */
import { parseArgs } from "node:util";
import { BENCHMARKS, PROGRAMS } from "../bench/list.js";
import { publish } from "../bench/publish.js";
import { missedBy, sayResult } from "../bench/results.js";
import { Failure, orExit } from "./failure.js";
import { setUp } from "./setup.js";

const [, , first = ""] = process.argv;
const program = Object.entries(PROGRAMS).find(([name]) => name === first)?.[1];
if (program === undefined) await orExit(measure);
else {
  await setUp();
  // What follows is the program's own.
  process.argv.splice(2, 1);
  await program();
}

async function measure() {
  const { names, isSmoke, isAsserted } = readOptions();
  await setUp();
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort());
  const all = [];
  for (const [name, load] of Object.entries(BENCHMARKS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const { benchmark } = await load();
    const result = await benchmark.run({ size: isSmoke ? "smoke" : "whole", signal: interruption.signal });
    console.log(`${sayResult({ benchmark, result }, isSmoke)}\n`);
    all.push({ benchmark, result });
  }
  if (names.length === 0 && !isSmoke) publish(all);
  const missed = isSmoke ? [] : all.flatMap(missedBy);
  if (missed.length > 0) console.error(missed.join("\n"));
  process.exit(isAsserted && missed.length > 0 ? 1 : 0);
}

function readOptions() {
  const options = /** @type {const} */ ({ smoke: { type: "boolean" }, assert: { type: "boolean" } });
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const known = Object.keys(BENCHMARKS);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length === 0) return { names: positionals, isSmoke: values.smoke === true, isAsserted: values.assert };
  const all = [...known, ...Object.keys(PROGRAMS)].join(", ");
  throw new Failure(`ccl-queue: no benchmark is called ${unknown.join(" or ")}. There are ${all}.`);
}
