import { holds } from "./benchmark.js";

const WIDTH = 720;
const LABELS = 300;
const BAR = 22;
const MARGIN = 40;
/** Bounds that are missed by more are drawn no longer. */
const MOST = 2;
const COLOURS = { good: "#2f7d4f", bad: "#b3402e", line: "#7a7f87", text: "#57606a", other: "#2d6cb3" };
const STYLE = `font-family="system-ui, sans-serif" font-size="12" fill="${COLOURS.text}"`;

/** How much of each bound is used up, as bars beside the line that they must not cross. @param {readonly import("./results.js").Measured[]} all */
export function plotBounds(all) {
  const bars = all.flatMap(({ benchmark, result }) =>
    result.bounds.map((bound) => ({
      label: `${benchmark.name}: ${bound.what}`,
      used: usedOf(bound),
      holds: holds(bound),
    })),
  );
  const scale = (WIDTH - LABELS - MARGIN) / MOST;
  const height = bars.length * BAR + 2 * MARGIN;
  const limit = LABELS + scale;
  return svg("How much of each bound is used up", WIDTH, height, [
    ...bars.flatMap(({ label, used, holds: isGood }, index) => {
      const y = MARGIN + index * BAR;
      const width = Math.max(1, Math.min(MOST, used) * scale);
      return [
        `<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end" ${STYLE}>${escaped(label)}</text>`,
        `<rect x="${LABELS}" y="${y + 3}" width="${width.toFixed(1)}" height="${BAR - 8}" fill="${isGood ? COLOURS.good : COLOURS.bad}"/>`,
      ];
    }),
    `<line x1="${limit}" y1="${MARGIN - 8}" x2="${limit}" y2="${height - MARGIN}" stroke="${COLOURS.line}" stroke-dasharray="4 3"/>`,
    `<text x="${limit}" y="${MARGIN - 14}" text-anchor="middle" ${STYLE}>the bound</text>`,
  ]);
}

/** Several curves over the same quantity. @param {readonly import("./benchmark.js").Curve[]} curves */
export function plotCurves(curves) {
  const points = curves.flatMap((curve) => curve.points);
  const mostX = Math.max(...points.map(([x]) => x));
  const mostY = Math.max(...points.map(([, y]) => y));
  const height = 320;
  const at = (/** @type {readonly [number, number]} */ [x, y]) =>
    /** @type {const} */ ([
      MARGIN + (x / mostX) * (WIDTH - LABELS - MARGIN),
      height - MARGIN - (y / mostY) * (height - 2 * MARGIN),
    ]);
  const [first] = curves;
  return svg("What a pool's size costs", WIDTH, height, [
    `<path d="M${MARGIN},${MARGIN} V${height - MARGIN} H${WIDTH - LABELS}" fill="none" stroke="${COLOURS.line}"/>`,
    `<text x="${WIDTH - LABELS}" y="${height - 12}" text-anchor="end" ${STYLE}>${escaped(first?.x ?? "")}, to ${mostX}</text>`,
    `<text x="${MARGIN}" y="${MARGIN - 14}" ${STYLE}>${escaped(first?.y ?? "")}, to ${mostY.toPrecision(3)}</text>`,
    ...curves.flatMap((curve, index) => {
      const places = curve.points.map(at);
      const [x, y] = places.at(-1) ?? [0, 0];
      const colour = index === 0 ? COLOURS.good : COLOURS.other;
      return [
        `<polyline points="${places.map((place) => place.map((one) => one.toFixed(1)).join(",")).join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...places.map(([cx, cy]) => `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="3" fill="${colour}"/>`),
        `<text x="${(x + 8).toFixed(1)}" y="${(y + 4).toFixed(1)}" ${STYLE}>${escaped(curve.label)}</text>`,
      ];
    }),
  ]);
}

/** How much of a bound is used up: 1 = all. @param {import("./benchmark.js").Bound} bound */
function usedOf({ value, is, limit }) {
  if (is === "at least") return value === 0 ? MOST : limit / value;
  return limit === 0 ? value * MOST : value / limit;
}

/** @param {string} title @param {number} width @param {number} height @param {readonly string[]} parts */
function svg(title, width, height, parts) {
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`;
  return `${[open, `  <title>${title}</title>`, ...parts.map((part) => `  ${part}`), "</svg>"].join("\n")}\n`;
}

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
