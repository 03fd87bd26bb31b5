#!/usr/bin/env node
/**
 * How long it takes from a drop to the agent's launch, on a whole queue of its own. Run `npm run build` first.
 *
 *     npm run bench -- [--rounds N] [--json] [--assert]
 *
 * Measured in turns: a bare fs.watch with a tmux respawn-pane of the same agent (what the machine can do at best,
 * just then), a task moved in whole, one moved in just after it was written, and one written in place. A launch is the
 * first thing that the agent does, by its own clock. --assert exits with 1 when a median misses its limit.
 */
import { parseArgs } from "node:util";
import { figuresOf, table } from "./figures.js";
import { measureLaunches } from "./launches.js";

const LIMIT_MS = { moved: 100, sameTick: 100, inPlace: 400 };
/** A launch that never comes ends the benchmark. */
const ROUND_TIMEOUT_MS = 30_000;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    json: { type: "boolean", default: false },
    assert: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number from 1 on");

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort());
const signal = AbortSignal.any([interruption.signal, AbortSignal.timeout((rounds + 1) * ROUND_TIMEOUT_MS)]);
const launches = await measureLaunches(rounds, signal).catch((error) => {
  if (interruption.signal.aborted) process.exit(130);
  throw error;
});

const bare = figuresOf(launches.bare);
const moved = figuresOf(launches.moved);
const sameTick = figuresOf(launches.sameTick);
const inPlace = figuresOf(launches.inPlace);
const ratios = {
  moved: moved.median / bare.median,
  sameTick: sameTick.median / bare.median,
  inPlace: inPlace.median / bare.median,
};
const missed = [
  ...(moved.median < LIMIT_MS.moved ? [] : [`moved in whole: not under ${LIMIT_MS.moved} ms`]),
  ...(sameTick.median < LIMIT_MS.sameTick ? [] : [`written and moved in: not under ${LIMIT_MS.sameTick} ms`]),
  ...(inPlace.median < LIMIT_MS.inPlace ? [] : [`written in place: not under ${LIMIT_MS.inPlace} ms`]),
];
console.log(
  values.json
    ? JSON.stringify({ rounds, bare, moved, sameTick, inPlace, ratios, missed }, null, 2)
    : table({
        "bare watch and respawn": bare,
        "moved in whole": moved,
        "written and moved in": sameTick,
        "written in place": inPlace,
      }),
);
if (values.assert && missed.length > 0) {
  console.error(missed.join("\n"));
  process.exitCode = 1;
}
