import stringWidth from "string-width";
import { cutToWidth, padToWidth } from "./fit-width.ts";

export interface TableOptions {
  /** How wide a line may be; null = as wide as it gets. */
  readonly columns?: number | null;
  /** The columns whose cells may be cut, by number. */
  readonly flexible?: readonly number[];
  /** Colours a cell, which is padded already. `row` 0 is the first row. */
  readonly paint?: (padded: string, cell: string, row: number, column: number) => string;
}

const GAP = "  ";
/** What stays of a cell that is cut. */
const MIN_WIDTH = 8;

/** Rows as lines whose columns stand below each other, two spaces apart. The first row decides how many there are. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  const { columns = null, flexible = [], paint = (padded) => padded } = options;
  const natural = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => stringWidth(row[column] ?? ""))));
  const widths = columns === null ? natural : fitted(natural, flexible, columns);
  return rows.map((row, rowNumber) => {
    const last = row.findLastIndex((cell) => cell !== "");
    return row
      .slice(0, last + 1)
      .map((cell, column) => {
        const cut = cutToWidth(cell, widths[column] ?? 0);
        const padded = column === last ? cut : padToWidth(cut, widths[column] ?? 0);
        return paint(padded, cell, rowNumber, column);
      })
      .join(GAP);
  });
}

/** Takes from the widest flexible column, a column of the terminal at a time, until the line fits or nothing is left. */
function fitted(natural: readonly number[], flexible: readonly number[], columns: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columns;
  for (; excess > 0; excess -= 1) {
    const widest = flexible.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    const width = widest === undefined ? 0 : (widths[widest] ?? 0);
    if (widest === undefined || width <= MIN_WIDTH) break;
    widths[widest] = width - 1;
  }
  return widths;
}
