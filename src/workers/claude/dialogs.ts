import type { Need } from "./phase.ts";

type Names = readonly (readonly [words: RegExp, name: string])[];

/** What Claude Code can show before its prompt, by words that stand on the screen. For reports: nothing is ever pressed. */
const AT_START: Names = [
  [/Is this a project you created or one you trust|Accessing workspace:/, "the folder trust dialog"],
  [/Adding a new directory:/, "the dialog for an added directory"],
  [/Bypass Permissions mode/, "the warning about bypassed permissions"],
  [/Do you want to use this API key\?/, "the API key dialog"],
  [/Choose the text style|Security notes:/, "the first steps (run claude once by hand)"],
  [/Select login method/, "the login"],
  [/Unable to connect to Anthropic services|Failed to connect to/, "the connectivity check"],
  [/Allow external CLAUDE\.md file imports\?/, "the dialog for external CLAUDE.md imports"],
  [/New MCP server found/, "the MCP server dialog"],
  [/Settings (Warning|Error)|Configuration error|Files with errors are skipped/, "a settings error"],
  [/Resume from summary/, "the choice how to resume"],
];
/** What it can show in the middle of a turn, where the screen also holds the agent's own words. */
const IN_TURN: Names = [
  [/Dangerous \S+ operation on critical path/, "a dangerous command that waits for approval"],
  [/What do you want to do\?[\s\S]*limit/, "the usage limit menu"],
];

/** What a session waits for, as far as its screen tells. */
export function describeNeed(need: Need, screen: string): string {
  switch (need.kind) {
    case "dialog":
      return nameOf(screen, AT_START) ?? "something that is not known stands before the prompt";
    case "question":
      return nameOf(screen, IN_TURN) ?? `the agent asks (${need.waitingFor})`;
    case "interrupted":
      return "somebody interrupted the agent";
  }
}

function nameOf(screen: string, names: Names): string | undefined {
  return names.find(([words]) => words.test(screen))?.[1];
}
