import { holds } from "./benchmark.js";
import { figuresOf } from "./figures.js";

/** @typedef {{ benchmark: import("./benchmark.js").Benchmark, result: import("./benchmark.js").Result }} Measured */

/** The bounds that a result misses, a sentence each. @param {Measured} measured */
export const missedBy = ({ benchmark, result }) =>
  result.bounds.filter((bound) => !holds(bound)).map((bound) => `${benchmark.name}: ${sayBound(bound)}`);

/** A result for a terminal; bounds are for whole measurements. @param {Measured} measured @param {boolean} isSmoke */
export function sayResult({ benchmark: { title, against }, result }, isSmoke) {
  const { ours, theirs, unit, bounds, notes } = result;
  return [
    `${title}\n  ours: ${sayFigures(ours, unit)}`,
    ...(theirs.length === 0 ? [] : [`  ${against}: ${sayFigures(theirs, unit)}`]),
    ...(isSmoke ? [] : bounds).map((bound) => `  ${holds(bound) ? "holds: " : "MISSED:"} ${sayBound(bound)}`),
    ...notes.map((note) => `  ${note}`),
  ].join("\n");
}

/** The table of all results in markdown. @param {readonly Measured[]} all */
export function markdownOf(all) {
  const rows = all.map(({ benchmark: { name, title, against }, result: { ours, theirs, unit, bounds } }) => [
    `${title} (\`${name}\`)`,
    against,
    sayFigures(ours, unit),
    theirs.length === 0 ? "" : sayFigures(theirs, unit),
    bounds.map((bound) => `${holds(bound) ? "" : "**missed:** "}${sayBound(bound)}`).join("<br>"),
  ]);
  const cells = [["measured", "against", "ours", "theirs", "bounds"], ["---", "---", "---", "---", "---"], ...rows];
  return cells.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** What has to be known beside the figures. @param {readonly Measured[]} all */
export const notesOf = (all) =>
  all.flatMap(({ benchmark, result }) => result.notes.map((note) => `- \`${benchmark.name}\`: ${note}`)).join("\n");

/** @param {import("./benchmark.js").Bound} bound */
function sayBound({ what, value, is, limit, unit }) {
  return `${what} ${round(value)} ${unit}, ${is} ${limit} ${unit}`;
}

/** @param {number[]} samples @param {string} unit */
function sayFigures(samples, unit) {
  const { median, min, max } = figuresOf(samples);
  const range = samples.length > 1 ? ` (${round(min)} to ${round(max)})` : "";
  return `${round(median)} ${unit}${range}`;
}

/** Three digits are all that a measurement is worth. @param {number} value */
const round = (value) => String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
