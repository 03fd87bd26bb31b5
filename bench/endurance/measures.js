/** @typedef {import("./mill.js").Sample} Sample */
/** @typedef {keyof Sample} Measure */

/**
 * What may not grow, and by how much more each may be in the last quarter than in the second: a part of it, and a rest
 * that comes and goes.
 * @type {Readonly<Record<Exclude<Measure, "done">, { title: string, part: number, rest: number }>>}
 */
const LIMITS = {
  rssMiB: { title: "RSS MiB", part: 0.1, rest: 10 },
  heapMiB: { title: "heap MiB", part: 0.1, rest: 10 },
  handles: { title: "handles", part: 0, rest: 10 },
  timers: { title: "timers", part: 0, rest: 10 },
  files: { title: "open files", part: 0, rest: 10 },
  keys: { title: "Redis keys", part: 0.25, rest: 50 },
  runs: { title: "runs", part: 0.25, rest: 20 },
};
/** At rest, what is left of finished tasks. */
const REST = { keys: 60, runs: 1 };
const MEASURES = /** @type {(keyof typeof LIMITS)[]} */ (Object.keys(LIMITS));

/**
 * What grew between the second quarter of the work and the last, and what is left when all are over. The first is the
 * warm-up.
 * @param {readonly Sample[]} samples @param {Sample} after
 */
export function growthOf(samples, after) {
  const quarter = Math.floor(samples.length / 4);
  const grown = MEASURES.flatMap((measure) => {
    const before = median(samples.slice(quarter, 2 * quarter).map((sample) => sample[measure]));
    const last = median(samples.slice(-quarter).map((sample) => sample[measure]));
    const { title, part, rest } = LIMITS[measure];
    return last > before * (1 + part) + rest ? [`${title}: ${round(before)} became ${round(last)}`] : [];
  });
  const left = /** @type {const} */ (["keys", "runs"]).flatMap((measure) =>
    after[measure] > REST[measure] ? [`${LIMITS[measure].title}: ${after[measure]} are left when all is over`] : [],
  );
  return [...grown, ...left];
}

/** @param {readonly string[]} grown */
export function toldOf(grown) {
  return grown.length === 0 ? "nothing grew after the warm-up" : grown.join("\n");
}

/** A table for people, a row for each sample. @param {readonly Sample[]} samples */
export function tableOf(samples) {
  const titles = ["tasks", ...MEASURES.map((measure) => LIMITS[measure].title)];
  const rows = samples.map((sample) => [sample.done, ...MEASURES.map((measure) => sample[measure])].map(round));
  return [titles, ...rows].map((cells) => cells.map((cell) => cell.padStart(11)).join("")).join("\n");
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** @param {number} value */
const round = (value) => value.toFixed(Number.isInteger(value) ? 0 : 1);
