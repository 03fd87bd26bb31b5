import pc from "picocolors";
import { readTerminal } from "../config/environment.ts";

/** What lines are written for: a terminal, which has an end and may have colours, or anything else. */
export interface Screen {
  /** null = lines may be as long as they get. */
  readonly columns: number | null;
  readonly colours: ReturnType<typeof pc.createColors>;
}

/** A file or a pipe. */
export const PLAIN: Screen = { columns: null, colours: pc.createColors(false) };

/** How a word that says how something stands is coloured. */
const STATES = new Map<string, "green" | "red" | "yellow" | "blue" | "cyan" | "dim">([
  ["ok", "green"],
  ["done", "green"],
  ["running", "green"],
  ["busy", "green"],
  ["waiting", "cyan"],
  ["idle", "cyan"],
  ["delegated", "blue"],
  ["in use", "blue"],
  ["delayed", "yellow"],
  ["cooling", "yellow"],
  ["held", "yellow"],
  ["stale", "yellow"],
  ["attention", "red"],
  ["failed", "red"],
  ["gone", "red"],
  ["stopped", "dim"],
  ["cancelled", "dim"],
  ["missing", "dim"],
]);

/** How lines for a stream are to be written: NO_COLOR and FORCE_COLOR go before what it is. */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  const { noColor, forceColor, dumb } = readTerminal();
  const isTerminal = stream.isTTY === true;
  return {
    columns: isTerminal && stream.columns > 0 ? stream.columns : null,
    colours: pc.createColors(forceColor || (isTerminal && !noColor && !dumb)),
  };
}

/** For a table: colours its head, and in one column the words that say how something stands. */
export function paintStates(
  { colours }: Screen,
  states: number,
): (padded: string, cell: string, row: number, column: number) => string {
  return (padded, cell, row, column) => {
    if (row === 0) return colours.dim(padded);
    // What comes last is what matters: `running, stale`.
    return column === states ? paintAs(colours, cell.split(", ").at(-1) ?? "", padded) : padded;
  };
}

/** A word that says how something stands, in its colour. */
export function paintState({ colours }: Screen, state: string): string {
  return paintAs(colours, state, state);
}

function paintAs(colours: Screen["colours"], state: string, text: string): string {
  const colour = STATES.get(state);
  return colour === undefined ? text : colours[colour](text);
}
