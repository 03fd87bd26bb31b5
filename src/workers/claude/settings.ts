const EVENTS = ["SessionStart", "UserPromptSubmit", "Notification"];
/** What ends a turn: lost, it would leave the run without an end. */
const ENDS = ["Stop", "StopFailure"];
/** Tools that end in a question to a person. */
const DENIED_TOOLS = ["AskUserQuestion", "EnterPlanMode", "ExitPlanMode"];
const HOOK_TIMEOUT_S = 10;
/** For a disk that is full, and only then: the agent has nothing else to do. */
const END_HOOK_TIMEOUT_S = 600;
/** Claude Code waits for this one when it is asked to end. */
const LAST_HOOK_TIMEOUT_S = 2;

/**
 * The settings file of a run. Nothing in it depends on the task: the hooks find the run's directory in the
 * environment, so no name is ever put into a command.
 */
export function runSettings(): object {
  return {
    hooks: Object.fromEntries([
      ...EVENTS.map((event) => [event, [{ hooks: [hook("event")] }]]),
      ...ENDS.map((event) => [event, [{ hooks: [hook("event", END_HOOK_TIMEOUT_S)] }]]),
      ["SessionEnd", [{ hooks: [hook("event", LAST_HOOK_TIMEOUT_S)] }]],
      ["PermissionRequest", [{ hooks: [hook("deny")] }]],
    ]),
    statusLine: { type: "command", command: command("status") },
    disableAllHooks: false,
    skipDangerousModePermissionPrompt: true,
    // A project is trusted with all it brings: otherwise its .mcp.json opens a dialog that no hook tells of.
    enableAllProjectMcpServers: true,
    // Otherwise the agent goes on by itself after a limit, while the queue runs the task again.
    autoContinueAtUsageLimit: false,
    permissions: { deny: DENIED_TOOLS },
  };
}

function hook(mode: string, timeout = HOOK_TIMEOUT_S): object {
  return { type: "command", command: command(mode), timeout };
}

/** A hook that fails with code 2 would block the prompt: ours never fails. */
function command(mode: string): string {
  return `sh "$CCL_QUEUE_RUN/hook.sh" ${mode} || :`;
}
