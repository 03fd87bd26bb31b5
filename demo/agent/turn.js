import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as screen from "./screen.js";
import { firstLineOf, readScript } from "./script.js";
import { perform, TurnFailure } from "./verbs.js";

/**
 * @typedef {object} Turn
 * @property {import("./options.js").Options} options
 * @property {import("./files.js").Files} files
 * @property {(event: string, fields: object) => Promise<void>} hook
 * @property {(costUsd: number) => Promise<void>} statusLine
 * @property {import("./witness.js").Witness} witness
 * @property {string} prompt
 * @property {AbortSignal} signal Escape
 *
 * @typedef {{
 *   input_tokens: number, output_tokens: number, cache_creation_input_tokens: number, cache_read_input_tokens: number
 * }} Usage
 *
 * @typedef {{ kind: "done", message: string, backgroundMs: number, isLost: boolean }
 *   | { kind: "failed", error: string, message: string, resetsAt: number | undefined }
 *   | { kind: "interrupted" }} End
 */

/**
 * One prompt, from UserPromptSubmit to its end.
 * @param {Turn} turn
 */
export async function takeTurn(turn) {
  const { files, hook, witness, prompt } = turn;
  const promptId = randomUUID();
  files.status("busy");
  witness.submit(prompt);
  files.user(prompt);
  screen.prompt(prompt);
  await hook("UserPromptSubmit", { prompt_id: promptId, prompt });

  const end = await play(turn);
  switch (end.kind) {
    case "interrupted":
      witness.end("interrupt");
      screen.note("interrupted");
      return files.status("idle");
    case "failed":
      return fail(turn, promptId, end);
    case "done":
      if (end.isLost) return lose(turn, end.message);
      if (end.backgroundMs > 0) return background(turn, promptId, end);
      return finish(turn, promptId, end.message);
  }
}

/**
 * Performs the script; whatever goes wrong in it is the end of the turn.
 * @param {Turn} turn
 * @returns {Promise<End>}
 */
async function play({ prompt, files, witness, options, signal }) {
  const limit = files.limit();
  if (limit !== undefined) return { kind: "failed", error: "rate_limit", ...limit };
  // A conversation that is taken up again still needs what it needed.
  const needs = files.prompts().flatMap((earlier) => readScript(earlier).filter(({ verb }) => verb === "needs"));
  const steps = [...needs, ...readScript(prompt).filter(({ verb }) => verb !== "needs")];
  if (!steps.some(({ verb }) => verb === "work")) steps.push({ verb: "work", arg: `${options.workMs / 1000}s` });
  /** @type {import("./verbs.js").Stage} */
  const stage = {
    message: `Done, as far as a demo agent can: "${firstLineOf(prompt)}"`,
    backgroundMs: 0,
    isLost: false,
    signal,
    note: screen.note,
    status: files.status,
    end: witness.end,
  };
  try {
    for (const step of steps) {
      signal.throwIfAborted();
      await perform(step, stage);
    }
    return { kind: "done", message: stage.message, backgroundMs: stage.backgroundMs, isLost: stage.isLost };
  } catch (error) {
    if (signal.aborted) return { kind: "interrupted" };
    const code = error instanceof TurnFailure ? error.code : "invalid_request";
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "failed", error: code, message, resetsAt: stage.resetsAt };
  }
}

/** @param {Turn} turn @param {string} promptId @param {string} message */
async function finish(turn, promptId, message) {
  await answer(turn, message);
  turn.witness.end("Stop");
  await stop(turn, promptId, message, []);
  turn.files.status("idle");
}

/**
 * The turn is over, and nobody is told.
 * @param {Turn} turn
 * @param {string} message
 */
async function lose(turn, message) {
  await answer(turn, message);
  turn.witness.end("exit");
  process.exit(0);
}

/**
 * Something outlives the turn: Claude stops, and is woken by a notification when it is over.
 * @param {Turn} turn
 * @param {string} promptId
 * @param {{ message: string, backgroundMs: number }} end
 */
async function background(turn, promptId, { message, backgroundMs }) {
  const task = {
    id: randomUUID().slice(0, 8),
    type: "shell",
    status: "running",
    description: "a nap",
    command: "sleep",
  };
  const goodbye = "This runs on in the background; I come back when it is over.";
  await answer(turn, goodbye);
  await stop(turn, promptId, goodbye, [task]);
  turn.files.status("shell");
  await sleep(backgroundMs);

  const notification = `<task-notification>\n<task-id>${task.id}</task-id>\n<status>completed</status>\n</task-notification>`;
  const wakingId = randomUUID();
  turn.files.status("busy");
  turn.files.user(notification);
  await turn.hook("UserPromptSubmit", { prompt_id: wakingId, prompt: notification });
  await finish(turn, wakingId, message);
}

/**
 * @param {Turn} turn
 * @param {string} promptId
 * @param {{ error: string, message: string, resetsAt: number | undefined }} end
 */
async function fail({ files, hook, witness }, promptId, { error, message, resetsAt }) {
  files.apiError(error, message, resetsAt);
  screen.note(message);
  witness.end("StopFailure");
  await hook("StopFailure", { prompt_id: promptId, error, last_assistant_message: message });
  // At a usage limit Claude opens a menu: wait for the reset, or else.
  if (error === "rate_limit") files.status("waiting", "dialog open");
  else files.status("idle");
}

/** @param {Turn} turn @param {string} promptId @param {string} message @param {object[]} tasks */
const stop = ({ hook }, promptId, message, tasks) =>
  hook("Stop", {
    prompt_id: promptId,
    stop_hook_active: false,
    last_assistant_message: message,
    background_tasks: tasks,
    session_crons: [],
  });

let costUsd = 0;

/**
 * Tokens and cost are made up, but they add up.
 * @param {Turn} turn
 * @param {string} text
 */
async function answer({ files, prompt, statusLine }, text) {
  /** @type {Usage} */
  const usage = {
    input_tokens: Math.ceil(prompt.length / 4),
    output_tokens: Math.ceil(text.length / 4),
    cache_creation_input_tokens: 100,
    cache_read_input_tokens: 1000,
  };
  costUsd += (usage.input_tokens * 3 + usage.output_tokens * 15) / 1e6;
  files.assistant(text, usage);
  screen.answer(text);
  await statusLine(costUsd);
}
