import { closeSync, openSync, readSync } from "node:fs";

/** @typedef {ReturnType<typeof openLog>} Log */

/**
 * Reads what a daemon logs into a file. Not from a pipe: a reader that is busy would keep the daemon waiting.
 * @param {string} file
 */
export function openLog(file) {
  const input = openSync(file, "r");
  const chunk = Buffer.alloc(2 ** 16);
  let isOpen = true;
  let rest = "";
  /** When the daemon told that it had started, in ms since the epoch. @type {number | null} */
  let startedAtMs = null;
  /** How often each step of a task was told, and when last. @type {Map<string, { count: number, lastMs: number }>} */
  const steps = new Map();

  /** @param {string} line */
  function note(line) {
    const { time, msg, event } = JSON.parse(line);
    if (event !== undefined) steps.set(event.type, { count: (steps.get(event.type)?.count ?? 0) + 1, lastMs: time });
    else if (String(msg).startsWith("watching ")) startedAtMs = time;
  }

  function readOn() {
    for (let bytes = readSync(input, chunk); bytes > 0; bytes = readSync(input, chunk)) {
      const lines = (rest + chunk.toString("latin1", 0, bytes)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) note(line);
    }
  }

  return {
    /** What it told so far. */
    read() {
      if (isOpen) readOn();
      return { startedAtMs, step: (/** @type {string} */ type) => steps.get(type) ?? { count: 0, lastMs: 0 } };
    },
    /** Afterwards it can still be asked for what was read. */
    close() {
      readOn();
      isOpen = false;
      closeSync(input);
    },
  };
}
