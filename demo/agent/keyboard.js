import { openSync } from "node:fs";
import { ReadStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";
import * as screen from "./screen.js";

const ESCAPE = "\u001b";
const CTRL_C = "\u0003";

/**
 * Reads the terminal itself, for stdin is the prompt.
 * @param {{ interrupt: () => void, line: (text: string) => void }} on
 */
export function openKeyboard(on) {
  let open = false;
  let text = "";
  let lastKey = "";

  /** @param {string} key */
  function press(key) {
    if (key === CTRL_C && lastKey === CTRL_C) on.line("/exit");
    else if (key === ESCAPE || key === CTRL_C) on.interrupt();
    else if (key === "\r" || key === "\n") enter();
    else if (key === "\u007f") text = text.slice(0, -1);
    else if (key >= " ") text += key;
    lastKey = key;
  }

  function enter() {
    const line = text.trim();
    text = "";
    if (open) process.stdout.write("\n");
    open = false;
    on.line(line);
  }

  if (process.stdout.isTTY) {
    const terminal = new ReadStream(openSync("/dev/tty", "r"));
    terminal.setRawMode(true);
    terminal.setEncoding("utf8");
    terminal.on("error", () => {});
    terminal.on("data", (/** @type {string} */ keys) => {
      // Arrows and their like are sequences that begin as Escape does.
      for (const key of stripVTControlCharacters(keys)) press(key);
      if (open) screen.input(text);
    });
  }

  return {
    /** Shows the input line: nothing is being done. */
    ready() {
      open = true;
      screen.idle();
    },
  };
}
