import stringWidth from "string-width";
import { readAnsi, type Segment } from "./ansi.ts";

/** About as many columns as the widest card has room for. */
const CARD_COLUMNS = 80;
const HALF_OF_A_PAIR = /[\uD800-\uDBFF]$/;

/**
 * The last lines of a pane, each as wide as a card, in so many bytes of HTML: text comes before colours, and what stands
 * further down before what stands above it.
 */
export function cardLines(pane: string, { lines, bytes }: { lines: number; bytes: number }): Segment[][] {
  let left = bytes;
  const pay = (cost: number) => {
    left -= cost;
    return left >= 0;
  };
  const fromBelow = readAnsi(pane).slice(-lines).map(cutLine).reverse();
  const readable = fromBelow.filter((line) => pay(bytesOf(textOf(line))));
  const shown = readable.map((line) => (tagsOf(line) <= left && pay(tagsOf(line)) ? line : plain(line)));
  return shown.reverse();
}

/** So many columns of a text of somebody else's; … says that there is more. */
export function shortened(text: string, columns: number): string {
  const cut = cutTo(text, columns);
  return cut === text ? text : `${cut}…`;
}

function cutLine(line: readonly Segment[]): Segment[] {
  let left = cutTo(textOf(line), CARD_COLUMNS).length;
  return line.flatMap(({ text, classes }) => {
    const kept = text.slice(0, left);
    left -= kept.length;
    return kept === "" ? [] : [{ text: kept, classes }];
  });
}

/** Not more characters than columns, either: some have no width, and could be piled up. */
function cutTo(text: string, columns: number): string {
  const most = text.slice(0, columns).replace(HALF_OF_A_PAIR, "");
  if (columnsOf(most) <= columns || stringWidth(most) <= columns) return most;
  let [kept, left] = ["", columns];
  for (const character of most) {
    left -= stringWidth(character);
    if (left < 0) break;
    kept += character;
  }
  return kept;
}

/** At most, and quick: what several characters join to is no wider than they are. */
function columnsOf(text: string): number {
  let sum = 0;
  for (const character of text) sum += character <= "~" ? 1 : stringWidth(character);
  return sum;
}

function textOf(line: readonly Segment[]): string {
  return line.map(({ text }) => text).join("");
}

function plain(line: readonly Segment[]): Segment[] {
  return [{ text: textOf(line), classes: "" }];
}

/** At most: some of what is escaped needs less. */
function bytesOf(text: string): number {
  return Buffer.byteLength(text) + [...text.matchAll(/[&<>"']/g)].length * "quot;".length;
}

function tagsOf(line: readonly Segment[]): number {
  const coloured = line.filter(({ classes }) => classes !== "");
  return coloured.reduce((sum, { classes }) => sum + `<b class="${classes}"></b>`.length, 0);
}
