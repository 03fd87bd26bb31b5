import { basename } from "node:path";
import { stripVTControlCharacters, styleText } from "node:util";

/** How much of a prompt is shown. */
const PROMPT_LINES = 6;

// The terminal may be gone before the agent is.
process.stdout.on("error", () => {});

/** @param {Parameters<typeof styleText>[0]} style @param {string} text */
const paint = (style, text) => (process.stdout.isTTY ? styleText(style, text) : text);

/** @param {string[]} lines */
const print = (...lines) => process.stdout.write(`${lines.join("\n")}\n`);

/** A prompt must not steer the terminal. @param {string} text */
const plain = (text) =>
  stripVTControlCharacters(text)
    .replaceAll("\t", "  ")
    .replaceAll(/\p{Cc}/gu, "");

/** One line of it, as wide as the screen is. @param {string} text */
function cut(text) {
  const characters = [...plain(text)];
  const width = (process.stdout.columns || 80) - 4;
  return characters.length <= width ? characters.join("") : `${characters.slice(0, width - 1).join("")}…`;
}

/** @param {import("./options.js").Options} options */
export function header({ model, sessionId, name, cwd }) {
  const about = [
    "model",
    model,
    "· session",
    sessionId.slice(0, 8),
    "· in",
    basename(cwd),
    ...(name ? ["·", name] : []),
  ];
  print(
    "",
    ` ${paint("cyan", "◆")} ${paint("bold", "Demo agent")}, not Claude: it plays a script and needs no login`,
    paint("dim", `   ${cut(about.join(" "))}`),
    "",
  );
}

/** @param {string} text */
export function prompt(text) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const shown = lines.slice(0, PROMPT_LINES).map((line) => ` ${paint("cyan", "┃")} ${cut(line)}`);
  const rest = lines.length - PROMPT_LINES;
  if (rest > 0) shown.push(paint("dim", ` ┃ … and ${rest} more ${rest === 1 ? "line" : "lines"}`));
  print(...shown, "");
}

/** What it does now. @param {string} text */
export function note(text) {
  print(` ${paint("yellow", "●")} ${cut(text)}`);
}

/** @param {string} text */
export function answer(text) {
  print(...text.split("\n").map((line, index) => ` ${index === 0 ? paint("green", "✔") : " "} ${cut(line)}`.trimEnd()));
}

/** @param {string} text what is being typed */
export function input(text) {
  process.stdout.write(`\r${process.stdout.isTTY ? "\u001b[K" : ""}❯ ${cut(text)}`);
}

export function idle() {
  print("", paint("dim", "   Still open, as Claude would be: /exit ends it"), "");
  input("");
}

/** @param {string} text */
export function dialog(text) {
  print(
    "",
    ` ${cut(text)}`,
    "",
    ` ${paint("cyan", "❯ No, exit")}`,
    "   Yes, continue",
    "",
    paint("dim", " Enter to confirm"),
  );
}
