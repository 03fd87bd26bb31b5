import type { Config } from "../../config/config.ts";
import { childEnvironment } from "../../config/environment.ts";
import { QueueError } from "../../core/errors.ts";
import { checkClaudeVersion } from "../../workers/claude/version.ts";
import { type Finding, ok, problem } from "./check.ts";
import { programOutput } from "./program-output.ts";

/** The agent's program: whether it starts with the configured arguments, and tells what the daemon has to know. */
export async function lookAtClaude({ claude }: Config): Promise<Finding[]> {
  const { command, args } = claude;
  try {
    const [version] = await Promise.all([
      programOutput(command, ...args, "--version").catch(() => null),
      checkClaudeVersion(claude, childEnvironment()),
    ]);
    return [ok(`${command}: ${version ?? "starts"}`)];
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    return [problem(error.message, error.hint ?? "look at claude.command and claude.args")];
  }
}
