/**
 * What a benchmark is, and what it tells.
 *
 * @typedef {object} Benchmark
 * @property {string} name as in `npm run bench -- NAME`
 * @property {string} title what is measured
 * @property {string} against what it is measured against, in the same run
 * @property {(options: BenchmarkOptions) => Promise<Result>} run
 *
 * @typedef {object} BenchmarkOptions
 * @property {"whole" | "smoke"} size smoke = as small as still shows that it runs
 * @property {AbortSignal} signal
 *
 * @typedef {object} Result
 * @property {string} unit of the samples, such as ms or tasks/s
 * @property {number[]} ours one sample a round
 * @property {number[]} theirs the same for what it is measured against; empty where that is a bound alone
 * @property {readonly Bound[]} bounds what has to hold
 * @property {readonly string[]} notes what a reader has to know besides, a sentence each
 * @property {readonly Curve[]} [curves] what is plotted
 *
 * @typedef {object} Bound
 * @property {string} what such as "median" or "against theirs"
 * @property {number} value
 * @property {"at most" | "at least"} is
 * @property {number} limit
 * @property {string} unit such as ms, x or %
 *
 * @typedef {object} Curve
 * @property {string} label
 * @property {string} x what the first of each point is, with its unit
 * @property {string} y the same for the second
 * @property {readonly (readonly [number, number])[]} points
 */

/** @param {Bound} bound */
export const holds = ({ value, is, limit }) => (is === "at most" ? value <= limit : value >= limit);
