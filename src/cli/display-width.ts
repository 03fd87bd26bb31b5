const PRINTABLE_ASCII = /^[ -~]*$/;
/** Characters that a terminal draws two columns wide, besides emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303E\u30FB\u30FC\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]/u;
const HALF_WIDTH = /[\uFF61-\uFFDC]/;
const EMOJI = /\p{Emoji_Presentation}|\uFE0F/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]*$/u;
const ELLIPSIS = "…";

let segmenter: Intl.Segmenter | null = null;

/** How many columns a terminal needs for a text without control characters. */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  return graphemes(text).reduce((sum, grapheme) => sum + widthOf(grapheme), 0);
}

/** A text that needs no more than so many columns: what is too much is cut off, and … says so. */
export function cutToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = "";
  let left = columns - ELLIPSIS.length;
  for (const grapheme of graphemes(text)) {
    left -= widthOf(grapheme);
    if (left < 0) break;
    kept += grapheme;
  }
  return kept.trimEnd() + ELLIPSIS;
}

/** A text filled up with blanks to so many columns. */
export function padToWidth(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - displayWidth(text)));
}

function widthOf(grapheme: string): number {
  if (NO_WIDTH.test(grapheme)) return 0;
  if (EMOJI.test(grapheme)) return 2;
  return WIDE.test(grapheme) && !HALF_WIDTH.test(grapheme) ? 2 : 1;
}

/** What people take for one character. Made on first use: most texts are ASCII. */
function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}
