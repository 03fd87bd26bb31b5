import { figuresOf } from "./figures.js";
import { measureLaunches } from "./launches.js";

const ROUNDS = 15;
const LIMIT = { ratio: 2.5, movedMs: 60 };

/**
 * Measured in turns: a bare fs.watch with a tmux respawn-pane of the same agent (what the machine can do at best, just
 * then), a task moved in whole, one moved in just after it was written, and one written in place. A launch is the first
 * thing that the agent does, by its own clock.
 * @type {import("./benchmark.js").Benchmark}
 */
export const benchmark = {
  name: "drop-to-launch",
  title: "a drop (moved in whole) → its agent launched, in a free session",
  against: "a bare fs.watch and `tmux respawn-pane`",
  run: async ({ size, signal }) => {
    const { bare, moved, sameTick, inPlace } = await measureLaunches(size === "smoke" ? 1 : ROUNDS, signal);
    const medianMs = figuresOf(moved).median;
    const median = (/** @type {number[]} */ samples) => figuresOf(samples).median.toFixed(0);
    return {
      unit: "ms",
      ours: moved,
      theirs: bare,
      bounds: [
        { what: "median", value: medianMs / figuresOf(bare).median, is: "at most", limit: LIMIT.ratio, unit: "x" },
        { what: "median", value: medianMs, is: "at most", limit: LIMIT.movedMs, unit: "ms" },
      ],
      notes: [
        `written and moved in within one tick of the file clock: ${median(sameTick)} ms. Written in place: ${median(inPlace)} ms, as it has to be left alone for 200 ms first.`,
      ],
    };
  },
};
