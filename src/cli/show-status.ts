import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, QueueError } from "../core/errors.ts";
import { cleanLines } from "./clean.ts";
import { EXIT } from "./exit.ts";
import { cutToWidth } from "./fit-width.ts";
import { printJson, printJsonLine, printLines } from "./print.ts";
import { type Screen, screenOf } from "./screen.ts";

const EACH_MS = 1_000;
const ENTER = "\u001B[?1049h\u001B[?25l";
const LEAVE = "\u001B[?25h\u001B[?1049l";
const HOME = "\u001B[H";
const CLEAR_LINE = "\u001B[K";
const CLEAR_BELOW = "\u001B[J";

/** What is shown: how to get it, and as which lines. */
export interface View<T extends object> {
  /** @throws {QueueError} */
  readonly look: () => Promise<T>;
  readonly describe: (found: T, screen: Screen) => string[];
  /** Whether nobody has to do anything about it. */
  readonly isWell: (found: T) => boolean;
}

export interface ViewOptions {
  readonly json?: true;
  readonly watch?: true;
  /** End with another code when something has to be done. */
  readonly exitCode?: true;
}

/** Shows a status once, or again and again. Returns the exit code. */
export async function showStatus<T extends object>(view: View<T>, options: ViewOptions): Promise<number> {
  if (options.watch) return await watch(view, options.json === true);
  const found = await view.look();
  if (options.json) printJson(found);
  else printLines(view.describe(found, screenOf(process.stdout)));
  return options.exitCode && !view.isWell(found) ? EXIT.notWell : EXIT.ok;
}

/**
 * Shows it again each second, until Ctrl-C. In a terminal it is one screen, anywhere else one status after the other. A
 * daemon that is away is waited for.
 */
async function watch<T extends object>({ look, describe }: View<T>, json: boolean): Promise<number> {
  const isScreen = process.stdout.isTTY && !json;
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => ended.abort());
  process.stdout.once("error", () => ended.abort());
  if (isScreen) process.stdout.write(ENTER);
  try {
    while (!ended.signal.aborted) {
      const found = await look().catch(toQueueError);
      if (json) printJsonLine(found instanceof QueueError ? { code: found.code, detail: found.message } : found);
      else show(linesOf(found, describe), isScreen);
      await sleep(EACH_MS, undefined, { signal: ended.signal }).catch(() => {});
    }
  } finally {
    if (isScreen) process.stdout.write(LEAVE);
  }
  return EXIT.ok;
}

function toQueueError(error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  throw error;
}

function linesOf<T extends object>(found: T | QueueError, describe: View<T>["describe"]): string[] {
  const screen = screenOf(process.stdout);
  if (!(found instanceof QueueError)) return describe(found, screen);
  const lines = cleanLines(`${messageOf(found)} [${found.code}]`);
  return lines.map((line) => cutToWidth(line, screen.columns));
}

function show(lines: readonly string[], isScreen: boolean): void {
  if (!isScreen) {
    printLines([...lines, ""]);
    return;
  }
  const { rows } = process.stdout;
  const all = [new Date().toLocaleTimeString(), ...lines];
  const shown = all.length < rows ? all : [...all.slice(0, rows - 2), `and ${all.length - rows + 2} more lines`];
  process.stdout.write(`${HOME}${shown.map((line) => `${line}${CLEAR_LINE}\n`).join("")}${CLEAR_BELOW}`);
}
