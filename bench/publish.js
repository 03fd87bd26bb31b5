import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { plotBounds, plotCurves } from "./plot.js";
import { markdownOf, notesOf } from "./results.js";

const PAGE = new URL("../docs/performance.md", import.meta.url);
const IMAGES = new URL("../docs/images/", import.meta.url);

/** Writes the table, the notes and the plots of docs/performance.md. @param {readonly import("./results.js").Measured[]} all */
export function publish(all) {
  const on = `Node.js ${process.versions.node}, ${availableParallelism()} cores, all in one run.`;
  const curves = all.flatMap(({ result }) => result.curves ?? []);
  const plots = [
    "![How much of each bound is used up](images/performance-bounds.svg)",
    ...(curves.length > 0 ? ["![What a pool's size costs](images/performance-pool.svg)"] : []),
  ];
  const text = between(readFileSync(PAGE, "utf8"), "results", [on, markdownOf(all), ...plots].join("\n\n"));
  writeFileSync(PAGE, between(text, "notes", notesOf(all)));
  writeFileSync(new URL("performance-bounds.svg", IMAGES), plotBounds(all));
  if (curves.length > 0) writeFileSync(new URL("performance-pool.svg", IMAGES), plotCurves(curves));
}

/** @param {string} page @param {string} name @param {string} text */
function between(page, name, text) {
  const [start, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [before, rest] = page.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/performance.md has no ${start} … ${end}`);
  return `${before}${start}\n${text}\n${end}${after}`;
}
