import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { replaceFile } from "./files.js";
import { durationMs, withLineBreaks } from "./script.js";

const POLL_MS = 50;

/**
 * What the lines of a script act on.
 * @typedef {object} Stage
 * @property {string} message the last message of the turn
 * @property {number} backgroundMs how long a background task outlives the turn
 * @property {boolean} isLost whether its end is told to nobody
 * @property {number} [resetsAt] when a limit ends, in seconds since 1970
 * @property {AbortSignal} signal Escape
 * @property {(text: string) => void} note shows what happens now
 * @property {(status: "waiting", waitingFor: string) => void} status
 * @property {(cause: string) => void} end tells the witness that the work is over
 */

/** Ends a turn with StopFailure. */
export class TurnFailure extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @type {Map<string, (arg: string, stage: Stage) => void | Promise<void>>} */
const verbs = new Map(
  Object.entries({
    /** `work 2s`: is busy for that long. */
    async work(arg, stage) {
      stage.note(`working for ${arg} (Esc interrupts)`);
      await sleep(durationMs(arg), undefined, { signal: stage.signal });
    },

    /** `until PATH`: is busy until that file is in the directory it works in. */
    async until(arg, stage) {
      stage.note(`waiting for ${arg} (Esc interrupts)`);
      while (!existsSync(inside(process.cwd(), arg))) await sleep(POLL_MS, undefined, { signal: stage.signal });
    },

    /** `say TEXT`: its last message. */
    say(arg, stage) {
      stage.message = withLineBreaks(arg);
    },

    /** `write PATH TEXT`: a file in the directory it works in. */
    write(arg, stage) {
      const [, path = "", text = ""] = /^(\S+)\s*(.*)$/.exec(arg) ?? [];
      replaceFile(inside(process.cwd(), path), `${withLineBreaks(text)}\n`);
      stage.note(`wrote ${path}`);
    },

    /** `exit CODE`: ends at once and tells nobody. */
    exit(arg, stage) {
      stage.end("exit");
      process.exit(Number(arg));
    },

    /** `needs PATH`: ends at once with code 1 unless that file is in the directory it works in. */
    needs(arg, stage) {
      if (existsSync(inside(process.cwd(), arg))) return;
      stage.end("exit");
      process.exit(1);
    },

    /** `die`: is killed, as by kill -9. */
    async die(_arg, stage) {
      process.kill(process.pid, "SIGKILL");
      await forever(stage);
    },

    /** `fail ERROR MESSAGE`: the turn ends in StopFailure. */
    fail(arg) {
      const [, code = "unknown", message = ""] = /^(\S+)\s*(.*)$/.exec(arg) ?? [];
      throw new TurnFailure(code, message);
    },

    /** `resets 90s`: when the limit ends that a later `fail rate_limit` speaks of. */
    resets(arg, stage) {
      stage.resetsAt = Math.ceil((Date.now() + durationMs(arg)) / 1000);
    },

    /** `hang`: is busy for ever. */
    async hang(_arg, stage) {
      stage.note("hanging");
      await forever(stage);
    },

    /** `spawn PATH`: starts a command that runs for ten minutes in a session of its own; the file has its pid. */
    spawn(arg, stage) {
      const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
      child.unref();
      replaceFile(inside(process.cwd(), arg), `${child.pid}\n`);
      stage.note(`started process ${child.pid}`);
    },

    /** `lost`: does its work to the end, but its Stop is lost, and it is gone. */
    lost(_arg, stage) {
      stage.isLost = true;
    },

    /** `ask TEXT`: a question in the middle of the work; waits for ever. */
    async ask(arg, stage) {
      stage.note(arg);
      stage.status("waiting", "dialog open");
      await forever(stage);
    },

    /** `background 2s`: stops, but something runs on for that long and wakes it again. */
    background(arg, stage) {
      stage.backgroundMs = durationMs(arg);
    },

    // `start 2s`, `early CODE`, `dialog TEXT` and `swallow` belong before the prompt: agent.js plays them.
    start() {},
    early() {},
    dialog() {},
    swallow() {},
  }),
);

/** @param {import("./script.js").Step} step @param {Stage} stage */
export async function perform({ verb, arg }, stage) {
  const act = verbs.get(verb);
  if (act === undefined) throw new Error(`the demo agent cannot "${verb}": it knows ${[...verbs.keys()].join(", ")}`);
  await act(arg, stage);
}

/** @param {Stage} stage */
const forever = ({ signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/**
 * The real path of a file in a directory; a path that leads out of it, also by a link, is refused.
 * @param {string} directory
 * @param {string} path
 */
function inside(directory, path) {
  const parent = realpathSync(resolve(directory, dirname(path)));
  const out = relative(realpathSync(directory), parent).split("/")[0] === "..";
  if (out || basename(path) === "..")
    throw new Error(`the demo agent writes in its own directory only, not to ${path}`);
  return join(parent, basename(path));
}
