/** A piece of a screen in one look: its text and the classes of dashboard.css that colour it. */
export interface Segment {
  readonly text: string;
  readonly classes: string;
}

interface Look {
  /** An index into {@link PALETTE}; null = the screen's own. */
  readonly fg: number | null;
  readonly bg: number | null;
  readonly bold: boolean;
  readonly faint: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

const PLAIN: Look = {
  fg: null,
  bg: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

const ESCAPE = "\u001b";
const BELL = "\u0007";
/** Ends a title and its like: the bell, or the line. */
const TITLE_END = new RegExp(`[${BELL}\n]`);

/** The colours that a screen is shown in, as a terminal means them; which hue each has is said in dashboard.css. */
const PALETTE: readonly (readonly [number, number, number])[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 92, 92],
  [92, 255, 92],
  [255, 255, 92],
  [120, 130, 255],
  [255, 92, 255],
  [92, 255, 255],
  [255, 255, 255],
  [215, 119, 87],
];
const CUBE = [0, 95, 135, 175, 215, 255];

const CHANGES = new Map<number, Partial<Look>>([
  [0, PLAIN],
  [1, { bold: true }],
  [2, { faint: true }],
  [3, { italic: true }],
  [4, { underline: true }],
  [7, { inverse: true }],
  [9, { strike: true }],
  [22, { bold: false, faint: false }],
  [23, { italic: false }],
  [24, { underline: false }],
  [27, { inverse: false }],
  [29, { strike: false }],
  [39, { fg: null }],
  [49, { bg: null }],
  ...Array.from({ length: 8 }, (_, index): [number, Partial<Look>] => [30 + index, { fg: index }]),
  ...Array.from({ length: 8 }, (_, index): [number, Partial<Look>] => [40 + index, { bg: index }]),
  ...Array.from({ length: 8 }, (_, index): [number, Partial<Look>] => [90 + index, { fg: 8 + index }]),
  ...Array.from({ length: 8 }, (_, index): [number, Partial<Look>] => [100 + index, { bg: 8 + index }]),
]);

/**
 * The lines of a terminal's text in pieces, without the empty lines at its end: colours become classes, since the pages
 * allow no style in their HTML, and every other sequence and control character is left out.
 */
export function readAnsi(text: string): Segment[][] {
  const [first = "", ...parts] = text.split(ESCAPE);
  const lines: Segment[][] = [[]];
  let look = PLAIN;
  const add = (shown: string) => {
    if (shown === "") return;
    for (const [index, piece] of shown.split("\n").entries()) {
      if (index > 0) lines.push([]);
      if (piece !== "") lines.at(-1)?.push({ text: piece, classes: classesOf(look) });
    }
  };
  add(printable(first));
  for (const part of parts) {
    const [, colours] = /^\[([\d;:]*)m/.exec(part) ?? [];
    if (colours !== undefined) look = restyled(look, colours);
    add(printable(afterSequence(part)));
  }
  return lines.slice(0, lines.findLastIndex((line) => line.some((piece) => piece.text.trim() !== "")) + 1);
}

/** A terminal's text without its colours. */
export function stripAnsi(text: string): string {
  return readAnsi(text)
    .map((line) => line.map((piece) => piece.text).join(""))
    .join("\n");
}

/** What is left of the text behind an escape character when the sequence that it begins is taken away. */
function afterSequence(part: string): string {
  // A title, a link and their like: up to the bell, or to the escape character that ends this part.
  if (/^[\]PX^_]/.test(part)) {
    const end = part.search(TITLE_END);
    return end === -1 ? "" : part.slice(end).replace(BELL, "");
  }
  return part.replace(/^(?:\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~])/, "");
}

function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === "\n" || character === "\t" ? character : ""));
}

function restyled(look: Look, colours: string): Look {
  const codes = colours.split(";").flatMap((code) => (code.includes(":") ? flat(code).split(";") : [code]));
  let current = look;
  for (let index = 0; index < codes.length; index++) {
    const code = Number(codes[index]);
    if (code !== 38 && code !== 48) {
      current = { ...current, ...CHANGES.get(code) };
      continue;
    }
    const isIndexed = codes[index + 1] === "5";
    const values = codes.slice(index + 2, index + (isIndexed ? 3 : 5)).map(Number);
    const colour = isIndexed ? indexed(values[0] ?? 0) : nearest(values);
    current = { ...current, ...(code === 38 ? { fg: colour } : { bg: colour }) };
    index += isIndexed ? 2 : 4;
  }
  return current;
}

/** `38:2::1:2:3` means what `38;2;1;2;3` means; of `4:3`, a kind of underline, the underline is kept. */
function flat(group: string): string {
  const parts = group.split(":").filter((part) => part !== "");
  if (parts[0] !== "38" && parts[0] !== "48") return parts[1] === "0" ? "24" : (parts[0] ?? "0");
  return [parts[0], parts[1], ...(parts[1] === "5" ? parts.slice(2, 3) : parts.slice(-3))].join(";");
}

/** One of a terminal's 256 colours. */
function indexed(colour: number): number {
  if (colour < 16) return colour;
  if (colour >= 232) return nearest(Array.from({ length: 3 }, () => 8 + (colour - 232) * 10));
  const cube = colour - 16;
  return nearest([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((step) => CUBE[step] ?? 0));
}

function nearest([red = 0, green = 0, blue = 0]: readonly number[]): number {
  const distances = PALETTE.map(([r, g, b]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2);
  return distances.indexOf(Math.min(...distances));
}

/** `f1` = text in colour 1, `k1` = on its dark shade, `r1` = dark text on colour 1; `rx` = the screen's own, inverted. */
function classesOf({ fg, bg, inverse, ...look }: Look): string {
  const colours = inverse ? [`r${fg ?? "x"}`] : [fg === null ? "" : `f${fg}`, bg === null ? "" : `k${bg}`];
  const faint = look.faint && fg === null && !inverse;
  const others = [look.bold && "b", faint && "d", look.italic && "i", look.underline && "u", look.strike && "s"];
  return [...colours, ...others].filter(Boolean).join(" ");
}
