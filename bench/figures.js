/** @typedef {{ median: number, min: number, max: number, samples: number[] }} Figures */

/** @param {number[]} samples @returns {Figures} */
export function figuresOf(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, min: at(0), max: at(sorted.length - 1), samples };
}

/**
 * A table for people: a row for each set of figures, compared with the first.
 * @param {Record<string, Figures>} rows
 */
export function table(rows) {
  const [first] = Object.values(rows);
  const lines = Object.entries(rows).map(([name, { median, min, max }]) =>
    line(
      name,
      [median, min, max].map((ms) => ms.toFixed(1)),
      `${(median / (first?.median ?? 1)).toFixed(1)} x`,
    ),
  );
  return [line("ms", ["median", "min", "max"], "ratio"), ...lines].join("\n");
}

/** @param {string} name @param {string[]} cells @param {string} last */
function line(name, cells, last) {
  return name.padEnd(24) + [...cells, last].map((cell) => cell.padStart(9)).join("");
}
