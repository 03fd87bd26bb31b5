import stringWidth from "string-width";

const ELLIPSIS = "…";

let segmenter: Intl.Segmenter | null = null;

/** A text that needs no more than so many columns: what is too much is cut off, and … says so. null = nothing is. */
export function cutToWidth(text: string, columns: number | null): string {
  if (columns === null || stringWidth(text) <= columns) return text;
  let kept = "";
  let left = columns - ELLIPSIS.length;
  for (const grapheme of graphemes(text)) {
    left -= stringWidth(grapheme);
    if (left < 0) break;
    kept += grapheme;
  }
  return kept.trimEnd() + ELLIPSIS;
}

/** A text filled up with blanks to so many columns. */
export function padToWidth(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - stringWidth(text)));
}

/** What people take for one character. Made on first use: most texts are short enough. */
function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}
