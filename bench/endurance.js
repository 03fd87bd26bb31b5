#!/usr/bin/env node
/**
 * Sends many tasks through one daemon and looks at what it holds: nothing may grow once it is warm.
 *
 *     npm run bench -- endurance [--tasks N] [--sessions N] [--json] [--assert]
 *
 * Jobs and runs are kept for a short time, so that what is kept no longer must go while the daemon runs. --assert exits
 * with 1 when something grew.
 */
import { parseArgs } from "node:util";
import { growthOf, tableOf, toldOf } from "./endurance/measures.js";
import { openMill } from "./endurance/mill.js";

const SAMPLES = 20;

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "2000" },
    sessions: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
    assert: { type: "boolean", default: false },
  },
});
const tasks = Number(values.tasks);

const mill = await openMill(Number(values.sessions));
try {
  const samples = [];
  for (let sample = 0; sample <= SAMPLES; sample += 1) {
    await mill.work(Math.round((tasks * sample) / SAMPLES));
    samples.push(await mill.look());
  }
  const after = await mill.rest();
  const grown = growthOf(samples, after);
  console.log(
    values.json
      ? JSON.stringify({ tasks, samples, after, grown }, null, 2)
      : `${tableOf([...samples, after])}\n\n${toldOf(grown)}`,
  );
  if (values.assert && grown.length > 0) process.exitCode = 1;
} finally {
  await mill.close();
}
