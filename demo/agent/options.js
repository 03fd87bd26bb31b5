import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** @typedef {ReturnType<typeof readOptions>} Options */

/**
 * Claude's command line, as far as it matters here; any other flag is accepted and ignored.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
export function readOptions(args, env) {
  const text = /** @type {const} */ ({ type: "string" });
  const flag = /** @type {const} */ ({ type: "boolean" });
  const { values } = parseArgs({
    args,
    strict: false,
    options: {
      "session-id": text,
      resume: { ...text, short: "r" },
      settings: text,
      model: text,
      name: { ...text, short: "n" },
      version: { ...flag, short: "v" },
      "dangerously-skip-permissions": flag,
    },
  });
  if (values["version"]) {
    console.log("2.1.329 (ccl-queue demo agent)");
    process.exit(0);
  }
  const model = String(values["model"] ?? "default");
  const sessionId = String(values["resume"] ?? values["session-id"] ?? randomUUID());
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(sessionId)) {
    refuse("Error: Invalid session ID. Must be a valid UUID.");
  }
  return {
    sessionId,
    resume: values["resume"] !== undefined,
    settings: values["settings"] === undefined ? undefined : String(values["settings"]),
    model,
    modelId: `demo-${model}`,
    name: values["name"] === undefined ? undefined : String(values["name"]),
    cwd: process.cwd(),
    configDir: env["CLAUDE_CONFIG_DIR"] ?? join(env["HOME"] ?? "", ".claude"),
    pane: env["TMUX_PANE"] ?? null,
    logFile: env["CCL_QUEUE_AGENT_LOG"],
    workMs: Number(env["CCL_QUEUE_AGENT_WORK_MS"] ?? 1500),
  };
}

/**
 * What cannot be started ends at once, with its reason on stderr.
 * @param {string} message
 * @returns {never}
 */
export function refuse(message) {
  console.error(message);
  process.exit(1);
}
