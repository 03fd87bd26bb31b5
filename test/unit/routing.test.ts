import { describe, expect, test } from "vitest";
import { PROVIDERS } from "../../src/core/route.ts";
import type { TaskHeader } from "../../src/core/task.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";
import { type Delegation, decide } from "../../src/router/decide.ts";

const DELEGATION: Delegation = { auto: { low: "gpu", medium: "gemini", high: "claude-api", none: "gemini" } };
const PLAIN: TaskHeader = {
  title: null,
  priority: "default",
  tags: [],
  needsClaudeCode: false,
  preferredAi: "auto",
  allowDelegation: false,
  complexityHint: "none",
  timeoutMs: null,
};

/** What a file can say in each key; undefined = the key is not there, and the odd last value is one nobody knows. */
const NEEDS_CLAUDE_CODE = [undefined, true, false, "perhaps"] as const;
const PREFERRED_AI = [undefined, "auto", "claude-code", ...PROVIDERS, "gpt"] as const;
const ALLOW_DELEGATION = [undefined, true, false, "perhaps"] as const;
const COMPLEXITY_HINT = [undefined, "low", "medium", "high", "extreme"] as const;

interface Said {
  readonly needs_claude_code: (typeof NEEDS_CLAUDE_CODE)[number];
  readonly preferred_ai: (typeof PREFERRED_AI)[number];
  readonly allow_delegation: (typeof ALLOW_DELEGATION)[number];
  readonly complexity_hint: (typeof COMPLEXITY_HINT)[number];
}

const everything: Said[] = NEEDS_CLAUDE_CODE.flatMap((needs_claude_code) =>
  PREFERRED_AI.flatMap((preferred_ai) =>
    ALLOW_DELEGATION.flatMap((allow_delegation) =>
      COMPLEXITY_HINT.map((complexity_hint) => ({
        needs_claude_code,
        preferred_ai,
        allow_delegation,
        complexity_hint,
      })),
    ),
  ),
);

/** The table "Who does a task" of docs/delegation.md, line by line: the first match wins. */
function oracle(said: Said, configured: boolean): string {
  const { needs_claude_code, preferred_ai, allow_delegation, complexity_hint } = said;
  const byHint = { low: "gpu", medium: "gemini", high: "claude-api", extreme: "local" };
  if (needs_claude_code === "perhaps" || needs_claude_code === true) return "local";
  if (preferred_ai === "claude-code") return "local";
  if (allow_delegation !== true) return "local";
  if (!configured) return "local";
  if (preferred_ai === "gpt") return "local";
  const named = PROVIDERS.find((provider) => provider === preferred_ai);
  if (named !== undefined) return named;
  return complexity_hint === undefined ? "gemini" : byHint[complexity_hint];
}

function taskFile(said: Said): Uint8Array {
  const lines = Object.entries(said).flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${value}`]));
  return Buffer.from(["---", ...lines, "---", "Do it."].join("\n"));
}

/** From the file to the decision, in one word. */
function routeOf(said: Said, delegation: Delegation | null): string {
  const task = parseTask(taskFile(said));
  if (!task.ok) return `rejected: ${task.reason}`;
  const decision = decide(task.header, delegation);
  return decision.route === "local" ? "local" : decision.provider;
}

describe("every combination of what a file can say", () => {
  test.each([
    { delegation: DELEGATION, name: "with delegation configured" },
    { delegation: null, name: "without delegation" },
  ])("goes where the table says, $name", ({ delegation }) => {
    const expected = everything.map((said) => ({ ...said, route: oracle(said, delegation !== null) }));
    const actual = everything.map((said) => ({ ...said, route: routeOf(said, delegation) }));
    expect(actual).toHaveLength(4 * 7 * 4 * 5);
    expect(actual).toEqual(expected);
  });
});

describe("the decision and its reason", () => {
  test.each<[Partial<TaskHeader>, Delegation | null, string, string]>([
    [{}, DELEGATION, "local", "allow_delegation is not true"],
    [{}, null, "local", "allow_delegation is not true"],
    [{ needsClaudeCode: true, allowDelegation: true }, DELEGATION, "local", "needs_claude_code is true"],
    [{ needsClaudeCode: true, preferredAi: "gpu", allowDelegation: true }, null, "local", "needs_claude_code is true"],
    [
      { needsClaudeCode: "unknown", allowDelegation: true },
      DELEGATION,
      "local",
      "needs_claude_code is neither true nor false",
    ],
    [{ preferredAi: "claude-code", allowDelegation: true }, DELEGATION, "local", "preferred_ai is claude-code"],
    [{ preferredAi: "claude-code", allowDelegation: false }, DELEGATION, "local", "preferred_ai is claude-code"],
    [{ preferredAi: "gpu", allowDelegation: false }, DELEGATION, "local", "allow_delegation is not true"],
    [
      { preferredAi: "gpu", allowDelegation: "unknown" },
      DELEGATION,
      "local",
      "allow_delegation is neither true nor false",
    ],
    [
      { preferredAi: "gpu", allowDelegation: true },
      null,
      "local",
      "delegation is not configured (no SECUTOOLS_API_KEY)",
    ],
    [{ preferredAi: "unknown", allowDelegation: true }, DELEGATION, "local", "preferred_ai is not a value we know"],
    [
      { complexityHint: "unknown", allowDelegation: true },
      DELEGATION,
      "local",
      "complexity_hint is not a value we know",
    ],
    [{ preferredAi: "gpu", allowDelegation: true }, DELEGATION, "gpu", "preferred_ai is gpu"],
    [{ preferredAi: "gemini", allowDelegation: true }, DELEGATION, "gemini", "preferred_ai is gemini"],
    [{ preferredAi: "claude-api", allowDelegation: true }, DELEGATION, "claude-api", "preferred_ai is claude-api"],
    [
      { preferredAi: "gpu", complexityHint: "unknown", allowDelegation: true },
      DELEGATION,
      "gpu",
      "preferred_ai is gpu",
    ],
    [{ complexityHint: "low", allowDelegation: true }, DELEGATION, "gpu", "complexity_hint is low"],
    [{ complexityHint: "medium", allowDelegation: true }, DELEGATION, "gemini", "complexity_hint is medium"],
    [{ complexityHint: "high", allowDelegation: true }, DELEGATION, "claude-api", "complexity_hint is high"],
    [{ allowDelegation: true }, DELEGATION, "gemini", "no complexity_hint"],
  ])("of %j, delegation %j: %s, because %s", (said, delegation, route, reason) => {
    const decision = decide({ ...PLAIN, ...said }, delegation);
    const expected = route === "local" ? { route, reason } : { route: "delegated", provider: route, reason };
    expect(decision).toEqual(expected);
  });
});

test.each([
  ["low", "claude-api"],
  ["medium", "gpu"],
  ["high", "gemini"],
  ["none", "gpu"],
] as const)("the provider of complexity_hint %s is the configured one", (complexityHint, provider) => {
  const auto = { low: "claude-api", medium: "gpu", high: "gemini", none: "gpu" } as const;
  const decision = decide({ ...PLAIN, allowDelegation: true, complexityHint }, { auto });
  expect(decision).toMatchObject({ route: "delegated", provider });
});

test.each(["critical", "high", "default", "low"] as const)("priority %s has no say in the route", (priority) => {
  const header: TaskHeader = { ...PLAIN, allowDelegation: true };
  expect(decide({ ...header, priority }, DELEGATION)).toEqual(decide(header, DELEGATION));
});
