import { describe, expect, test } from "vitest";
import { describeNeed } from "../../src/workers/claude/dialogs.ts";
import type { Need } from "../../src/workers/claude/phase.ts";

const DIALOG: Need = { kind: "dialog" };
const QUESTION: Need = { kind: "question", waitingFor: "dialog open", stopped: null };
const INTERRUPTED: Need = { kind: "interrupted" };

/** What each dialog of Claude Code 2.1.329, 2.1.197 and 2.0.76 was seen to say, and what it is called. */
const SCREENS: [screen: string, name: string][] = [
  ["Accessing workspace:\n\n /srv/site\n", "the folder trust dialog"],
  [
    "Quick safety check: Is this a project you created or one you trust? (Like your own code)",
    "the folder trust dialog",
  ],
  [
    "Accessing workspace:\n\n /srv/site\n\n ⚠ This folder configures hooks that can run commands\n\n ❯ No, exit\n   Yes, I trust this folder",
    "the folder trust dialog",
  ],
  ["Adding a new directory:\n /srv/other\n\n ❯ No, exit\n   Yes, add it", "the dialog for an added directory"],
  [
    "WARNING: Claude Code running in Bypass Permissions mode\n\n ❯ No, exit\n   Yes, I accept",
    "the warning about bypassed permissions",
  ],
  [
    "Detected a custom API key in your environment\n\n Do you want to use this API key?\n\n ❯ No (recommended)",
    "the API key dialog",
  ],
  ["Choose the text style that looks best with your terminal", "the first steps (run claude once by hand)"],
  [
    "Security notes:\n\n Claude can make mistakes\n\n Press Enter to continue…",
    "the first steps (run claude once by hand)",
  ],
  ["Select login method:\n\n ❯ 1. Claude account with subscription", "the login"],
  [
    "Unable to connect to Anthropic services\n\nFailed to connect to api.anthropic.com: ENOTFOUND",
    "the connectivity check",
  ],
  ["Unable to connect to Anthropic services", "the connectivity check"],
  ["Failed to connect to api.anthropic.com: ENOTFOUND", "the connectivity check"],
  [
    "Allow external CLAUDE.md file imports?\n\n ❯ No, disable external imports",
    "the dialog for external CLAUDE.md imports",
  ],
  ["New MCP server found in this project: demo", "the MCP server dialog"],
  ['Settings Warning\n\n Unknown hook event "X" was ignored\n\n ❯ Continue', "a settings error"],
  ["Settings Error\n\n Files with errors are skipped entirely, not just the invalid settings.", "a settings error"],
  ["Settings Error\n\n ❯ 1. Exit and fix manually", "a settings error"],
  ["Files with errors are skipped entirely", "a settings error"],
  ["Configuration error in ~/.claude.json: it isn't valid JSON\n\n ❯ 1. Exit and fix manually", "a settings error"],
  [
    "This session is 3 days old and 180k tokens.\n\n ❯ Resume from summary (instant, recommended)",
    "the choice how to resume",
  ],
  [
    "Dangerous rm operation on critical path: /\n\nClaude Code will automatically block this request in 2:00",
    "a dangerous command that waits for approval",
  ],
  ["What do you want to do?\n\n ❯ 1. Stop and wait for limit to reset\n   2. Upgrade", "the usage limit menu"],
  ["❯ /rate-limit-options\n\n What do you want to do?\n ❯ 1. Stop and wait for limit to reset", "the usage limit menu"],
];

const IN_TURN = ["a dangerous command that waits for approval", "the usage limit menu"];
const isInTurn = ([, name]: [string, string]) => IN_TURN.includes(name);

test.each(SCREENS.filter((row) => !isInTurn(row)))("before the prompt a screen with %j shows %s", (screen, name) => {
  expect(describeNeed(DIALOG, screen)).toBe(name);
});

test.each(SCREENS.filter(isInTurn))("in a turn a screen with %j shows %s", (screen, name) => {
  expect(describeNeed(QUESTION, screen)).toBe(name);
});

test("in a turn the agent's own words are not taken for a dialog of the start", () => {
  const screen = "I see: Failed to connect to the database. Settings Error in app.yaml.";
  expect(describeNeed(QUESTION, screen)).toBe("the agent asks (dialog open)");
});

describe("a screen that is not known", () => {
  test.each([
    "",
    "❯ \n  ⏵⏵ bypass permissions on (shift+tab to cycle)",
    "Do you want to make this edit to main.ts?\n ❯ 1. Yes",
    "What do you want to do?\n ❯ 1. Commit\n   2. Discard",
    "the limit is reached",
    "Trust me.",
  ])("is not guessed at: %j", (screen) => {
    expect(describeNeed(DIALOG, screen)).toBe("something that is not known stands before the prompt");
    expect(describeNeed(QUESTION, screen)).toBe("the agent asks (dialog open)");
  });
});

test("an interruption is one, whatever stands on the screen", () => {
  for (const [screen] of SCREENS) expect(describeNeed(INTERRUPTED, screen)).toBe("somebody interrupted the agent");
  expect(describeNeed(INTERRUPTED, "")).toBe("somebody interrupted the agent");
});
