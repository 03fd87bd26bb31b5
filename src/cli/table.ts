import stringWidth from "string-width";
import { cutToWidth, padToWidth } from "./fit-width.ts";

export interface TableOptions {
  /** How wide a line may be; null = as wide as it gets. */
  readonly columns?: number | null;
  /** The columns whose cells may be cut, by number. */
  readonly flexible?: readonly number[];
  /** Those that are left out where cutting is not enough, the first of them first. */
  readonly expendable?: readonly number[];
  /** Colours a cell, which is padded already. `row` 0 is the first row. */
  readonly paint?: (padded: string, cell: string, row: number, column: number) => string;
}

const GAP = "  ";
/** What stays of a cell that is cut. */
const MIN_WIDTH = 8;

/** Rows as lines whose columns stand below each other, two spaces apart. The first row decides how many there are. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  const { paint = (padded) => padded } = options;
  const natural = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => stringWidth(row[column] ?? ""))));
  const widths = fitted(new Map(natural.entries()), options);
  const shown = [...widths.keys()];
  return rows.map((row, rowNumber) => {
    const last = shown.findLastIndex((column) => (row[column] ?? "") !== "");
    const cells = shown.slice(0, last + 1).map((column, index) => {
      const [cell = "", width = 0] = [row[column], widths.get(column)];
      const cut = cutToWidth(cell, width);
      return paint(index === last ? cut : padToWidth(cut, width), cell, rowNumber, column);
    });
    return cells.join(GAP);
  });
}

/** How wide each column gets so that a line fits, as far as that can be. What is not in it is left out. */
function fitted(natural: ReadonlyMap<number, number>, options: TableOptions): Map<number, number> {
  const { columns = null, flexible = [], expendable = [] } = options;
  const widths = new Map(natural);
  if (columns === null) return widths;
  const least = ([column, width]: [number, number]) => (flexible.includes(column) ? Math.min(width, MIN_WIDTH) : width);
  for (const column of expendable) if (lineWidth([...widths].map(least)) > columns) widths.delete(column);
  // A column of the terminal at a time, from whichever is the widest.
  for (let excess = lineWidth([...widths.values()]) - columns; excess > 0; excess -= 1) {
    const [widest] = [...widths].filter(([column]) => flexible.includes(column)).sort(([, a], [, b]) => b - a);
    if (widest === undefined || widest[1] <= MIN_WIDTH) break;
    widths.set(widest[0], widest[1] - 1);
  }
  return widths;
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length);
}
