#!/usr/bin/env node
/**
 * Drops many tasks at once, kills the embedded Redis again and again while they are worked off, and counts them.
 *
 *     npm run bench -- redis-kills [--tasks N] [--kills N] [--sessions N] [--assert]
 *
 * --assert exits with 1 when a task is not done, or was given to an agent twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openMill } from "./endurance/mill.js";

const POLL_MS = 100;
/** Nothing is over for so long: then nothing goes on. */
const STUCK_MS = 120_000;

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "5000" },
    kills: { type: "string", default: "20" },
    sessions: { type: "string", default: "10" },
    assert: { type: "boolean", default: false },
  },
});
const [tasks, kills] = [Number(values.tasks), Number(values.kills)];

const mill = await openMill(Number(values.sessions));
try {
  mill.drop(tasks);
  const breaks = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    const before = await untilDone(Math.floor((tasks * kill) / (kills + 1)));
    const killedMs = performance.now();
    await mill.killRedis();
    // Those that were ending are done all the same.
    await untilDone(Math.min(tasks, before + Number(values.sessions) + 1));
    breaks.push(performance.now() - killedMs);
  }
  await untilDone(tasks);
  while (mill.waiting() > 0) await sleep(POLL_MS);
  report(breaks);
} finally {
  await mill.close();
}

/** Returns how many are done. @param {number} count */
async function untilDone(count) {
  let last = { done: mill.done(), atMs: performance.now() };
  while (last.done < count) {
    await sleep(POLL_MS);
    const done = mill.done();
    if (done > last.done) last = { done, atMs: performance.now() };
    if (performance.now() - last.atMs > STUCK_MS) throw new Error(`${last.done} of ${count} are done, and no more`);
  }
  return last.done;
}

/** @param {number[]} breaks */
function report(breaks) {
  const taken = mill.taken();
  const twice = taken.length - new Set(taken).size;
  const longest = (Math.max(0, ...breaks) / 1_000).toFixed(1);
  console.log(`${mill.done()} of ${tasks} are done, ${mill.failed()} failed, ${twice} were taken twice.`);
  console.log(`Redis was killed ${breaks.length} times. Work went on within ${longest} s.`);
  if (values.assert && (mill.done() !== tasks || mill.failed() > 0 || twice > 0)) process.exitCode = 1;
}
