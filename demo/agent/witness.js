import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { firstLineOf, runOf } from "./script.js";

/** @typedef {ReturnType<typeof openWitness>} Witness */

/**
 * Says to a log of its own what really happened, whatever the queue believes: `start` once a process, `submit` once a
 * prompt, and for each submit at most one `end` (none if it was killed), written before the hook that tells the queue.
 * @param {import("./options.js").Options} options
 */
export function openWitness({ logFile, pane, cwd, model, sessionId }) {
  /** The prompt that is being worked on. @type {string | undefined} */
  let current;

  /** @param {"start" | "submit" | "end"} event @param {string} prompt @param {object} [more] */
  function log(event, prompt, more) {
    if (logFile === undefined) return;
    const line = {
      event,
      at: performance.timeOrigin + performance.now(),
      pid: process.pid,
      pane,
      cwd,
      model,
      run: runOf(prompt),
      session: sessionId,
      promptSha256: createHash("sha256").update(prompt).digest("hex"),
      promptBytes: Buffer.byteLength(prompt),
      firstLine: firstLineOf(prompt),
      ...more,
    };
    appendFileSync(logFile, `${JSON.stringify(line)}\n`);
  }

  return {
    /** @param {string} prompt */
    start: (prompt) => log("start", prompt),

    /** @param {string} prompt */
    submit(prompt) {
      current = prompt;
      log("submit", prompt);
    },

    /** @param {string} cause the end event, signal or key */
    end(cause) {
      if (current !== undefined) log("end", current, { cause });
      current = undefined;
    },
  };
}
