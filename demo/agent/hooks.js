import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { refuse } from "./options.js";

/**
 * @typedef {{ type: string, command: string, timeout?: number }} Command timeout in seconds
 * @typedef {{ hooks?: Record<string, { hooks: Command[] }[]>, statusLine?: Command }} Settings
 */

/** How long a hook may take, in seconds, when the settings do not say. Claude does not wait long at its end. */
const DEFAULT_TIMEOUT = 600;
const SESSION_END_TIMEOUT = 1.5;

/**
 * Runs the commands of the settings as Claude does: through a shell, with JSON on stdin, one after the other.
 * @param {import("./options.js").Options} options
 * @param {string} transcript
 */
export function readHooks({ settings: source, sessionId, cwd, modelId }, transcript) {
  const settings = readSettings(source);
  const common = { session_id: sessionId, transcript_path: transcript, cwd };
  const env = {
    ...process.env,
    CLAUDE_CODE_SESSION_ID: sessionId,
    CLAUDE_PID: String(process.pid),
    CLAUDE_PROJECT_DIR: cwd,
  };

  /** @param {Command} command @param {number} timeout @param {object} input */
  async function runCommand(command, timeout, input) {
    /** @type {import("node:child_process").StdioOptions} */
    const stdio = ["pipe", "ignore", "ignore"];
    const child = spawn("sh", ["-c", command.command], { env, stdio, timeout: (command.timeout ?? timeout) * 1000 });
    // A hook need not read what it is given, and one that fails changes nothing.
    child.stdin?.on("error", () => {}).end(JSON.stringify(input));
    await once(child, "exit").catch(() => {});
  }

  return {
    /** @param {string} event @param {object} fields */
    async run(event, fields) {
      const commands = (settings.hooks?.[event] ?? []).flatMap((group) => group.hooks);
      const timeout = event === "SessionEnd" ? SESSION_END_TIMEOUT : DEFAULT_TIMEOUT;
      const input = { ...common, permission_mode: "bypassPermissions", hook_event_name: event, ...fields };
      for (const command of commands) {
        if (command.type === "command") await runCommand(command, timeout, input);
      }
    },

    /** @param {number} costUsd */
    async statusLine(costUsd) {
      if (settings.statusLine === undefined) return;
      const model = { id: modelId, display_name: "Demo agent" };
      const workspace = { current_dir: cwd, project_dir: cwd };
      await runCommand(settings.statusLine, 5, { ...common, model, workspace, cost: { total_cost_usd: costUsd } });
    },
  };
}

/**
 * The settings are a file or the JSON itself.
 * @param {string | undefined} source
 * @returns {Settings}
 */
function readSettings(source) {
  if (source === undefined) return {};
  if (source.trimStart().startsWith("{")) return JSON.parse(source);
  if (!existsSync(source)) refuse(`Error: Settings file not found: ${source}`);
  return JSON.parse(readFileSync(source, "utf8"));
}
