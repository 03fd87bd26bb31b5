import { execa } from "execa";
import { messageOf, QueueError } from "../../core/errors.ts";

/** The oldest version that the tests run with. Much older ones have no StopFailure: an API error looks like the end. */
const OLDEST = [2, 1, 197] as const;
const TIMEOUT_MS = 20_000;

/** Refuses a Claude Code that cannot tell how a run ends. @throws {QueueError} CLAUDE_MISSING, CLAUDE_TOO_OLD */
export async function checkClaudeVersion(
  { command, args }: { readonly command: string; readonly args: readonly string[] },
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const options = { env: environment, extendEnv: false, timeout: TIMEOUT_MS, stdin: "ignore" } as const;
  const { stdout } = await execa(command, [...args, "--version"], options).catch((error: unknown) => {
    throw new QueueError(`${command} --version: ${messageOf(error).split("\n")[0]}`, {
      code: "CLAUDE_MISSING",
      hint: "install Claude Code, or set claude.command to where it is",
      cause: error,
    });
  });
  if (isNewEnough(stdout)) return;
  throw new QueueError(`${command} is version "${stdout.trim()}": it does not tell how a run ends`, {
    code: "CLAUDE_TOO_OLD",
    hint: `install Claude Code ${OLDEST.join(".")} or newer`,
  });
}

function isNewEnough(version: string): boolean {
  const numbers = /(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  const differing = OLDEST.findIndex((oldest, index) => numbers[index] !== oldest);
  return differing < 0 || (numbers[differing] ?? -1) > (OLDEST[differing] ?? 0);
}
