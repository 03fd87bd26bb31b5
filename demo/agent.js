#!/usr/bin/env node
/**
 * The demo agent: behaves like `claude` in a terminal pane, with no login and no model behind it.
 *
 *     agent.js --session-id UUID --settings FILE --model NAME < prompt.md
 *
 * It does what lines like `agent: work 2s` in the prompt tell it (all of them: agent/verbs.js). As Claude does, it runs
 * the hooks of its settings, keeps a status file and a transcript, and stays open after its work until someone ends it.
 *
 * Environment: CLAUDE_CONFIG_DIR, where its files go; CCL_QUEUE_AGENT_WORK_MS, how long it works when nothing else is
 * said; CCL_QUEUE_AGENT_LOG, a file to which it adds a line for each start, submit and end.
 */
import { EventEmitter, on } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { openFiles } from "./agent/files.js";
import { readHooks } from "./agent/hooks.js";
import { openKeyboard } from "./agent/keyboard.js";
import { readOptions } from "./agent/options.js";
import * as screen from "./agent/screen.js";
import { durationMs, readScript } from "./agent/script.js";
import { takeTurn } from "./agent/turn.js";
import { openWitness } from "./agent/witness.js";

const options = readOptions(process.argv.slice(2), process.env);
const firstPrompt = isatty(0) ? "" : readFileSync(0, "utf8");
const witness = openWitness(options);
witness.start(firstPrompt);

const files = openFiles(options);
const hooks = readHooks(options, files.transcript);
/** Never settles: what waits for it waits until the process ends. */
const forever = new Promise(() => {});
setInterval(() => {}, 60_000);

let interruption = new AbortController();
/** @type {"starting" | "dialog" | "open" | "ending"} */
let phase = "starting";

/** @param {string} event @param {object} fields */
async function hook(event, fields) {
  if (phase === "ending") await forever;
  await hooks.run(event, fields);
}

/** @param {number} code @param {string} cause @param {"other" | "prompt_input_exit"} [reason] */
async function quit(code, cause, reason = "other") {
  if (phase === "ending") return;
  const begun = phase === "open";
  phase = "ending";
  witness.end(cause);
  if (begun) await hooks.run("SessionEnd", { reason });
  files.close();
  // When the terminal is gone, Node would abort in its attempt to restore the modes of these.
  if (cause === "SIGHUP") for (const fd of [0, 1, 2]) closeSync(fd);
  process.exit(code);
}

process.on("SIGTERM", () => quit(143, "SIGTERM"));
process.on("SIGHUP", () => quit(129, "SIGHUP"));
process.on("SIGINT", () => quit(0, "SIGINT"));

/** The prompt it was started with, then those typed by hand; what comes while it works waits its turn. */
const inbox = new EventEmitter();
const prompts = on(inbox, "prompt");
inbox.emit("prompt", firstPrompt);

const keyboard = openKeyboard({
  interrupt: () => interruption.abort(),
  line: (text) => {
    if (phase === "dialog") void quit(1, "dialog");
    else if (text === "/exit") void quit(0, "/exit", "prompt_input_exit");
    else inbox.emit("prompt", text);
  },
});

/** What can come before a session: a slow start, a question nobody answers. */
async function begin() {
  for (const { verb, arg } of readScript(firstPrompt)) {
    if (verb === "start") await sleep(durationMs(arg));
    if (verb === "early") process.exit(Number(arg));
    if (verb === "dialog") {
      phase = "dialog";
      screen.dialog(arg);
      await forever;
    }
  }
  phase = "open";
  files.status("idle");
  screen.header(options);
  await hook("SessionStart", { source: options.resume ? "resume" : "startup", model: options.modelId });
  if (readScript(firstPrompt).some(({ verb }) => verb === "swallow")) await forever;
}

await begin();
for await (const [prompt] of prompts) {
  if (prompt.trim() !== "") {
    interruption = new AbortController();
    const { signal } = interruption;
    await takeTurn({ options, files, hook, statusLine: hooks.statusLine, witness, prompt, signal });
  }
  keyboard.ready();
}
