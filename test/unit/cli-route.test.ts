import { describe, expect, test } from "vitest";
import { describeRouting } from "../../src/cli/route.ts";
import { rulesLookedAt } from "../../src/cli/route-rules.ts";
import { PLAIN } from "../../src/cli/screen.ts";
import { COMPLEXITIES, PREFERRED_AI, type TaskHeader } from "../../src/core/task.ts";
import { decide } from "../../src/router/decide.ts";

const PLATFORM = { auto: { low: "gpu", medium: "gemini", high: "claude-api", none: "gemini" } } as const;
const BOOLEANS = [true, false, "unknown"] as const;

/** Every header that the router can tell apart, with and without a platform. */
const CASES = [PLATFORM, null].flatMap((delegation) =>
  BOOLEANS.flatMap((needsClaudeCode) =>
    ([...PREFERRED_AI, "unknown"] as const).flatMap((preferredAi) =>
      BOOLEANS.flatMap((allowDelegation) =>
        ([...COMPLEXITIES, "none", "unknown"] as const).map((complexityHint) => {
          const header: TaskHeader = {
            ...{ title: null, priority: "default", tags: [], timeoutMs: null },
            ...{ needsClaudeCode, preferredAi, allowDelegation, complexityHint },
          };
          return { header, delegation };
        }),
      ),
    ),
  ),
);

/** What the rule that decided is about, in the words of the reason that the router gives. */
const ABOUT: Readonly<Record<string, RegExp>> = {
  "needs_claude_code must be false": /^needs_claude_code is (neither true nor false|true)$/,
  "preferred_ai must not be claude-code": /^preferred_ai is claude-code$/,
  "allow_delegation must be true": /^allow_delegation is (neither true nor false|not true)$/,
  "delegation must be configured": /^delegation is not configured/,
  "preferred_ai may name a provider": /^preferred_ai is (not a value we know|gpu|gemini|claude-api)$/,
  "complexity_hint chooses the provider": /^(no complexity_hint|complexity_hint is .+)$/,
};

describe("the rules that were looked at", () => {
  test("end with the one that decides, for every header", () => {
    expect(CASES).toHaveLength(540);
    const wrong = CASES.filter(({ header, delegation }) => {
      const rules = rulesLookedAt(header, delegation);
      const { reason } = decide(header, delegation);
      const last = rules.at(-1);
      return (
        last === undefined || !ABOUT[last.rule]?.test(reason) || rules.filter(({ decides }) => decides).length !== 1
      );
    });
    expect(wrong).toEqual([]);
  });

  test("are all of them where none decides before", () => {
    const all = CASES.map(({ header, delegation }) => rulesLookedAt(header, delegation)).find(
      ({ length }) => length === 6,
    );
    expect(all?.map(({ rule }) => rule)).toEqual(Object.keys(ABOUT));
  });
});

test("a decision as lines, in which a task steers nothing", () => {
  const lines = describeRouting(
    {
      ...{ route: "delegated", provider: "gpu", reason: "complexity_hint is low", priority: "low" },
      ...{ model: "sonnet", timeout_ms: 60_000 },
      rules: [{ rule: "complexity_hint chooses the provider", found: "low", decides: true }],
      warnings: ["tags: \u001B[31m is not a list of words"],
    },
    PLAIN,
  );
  expect(lines).toEqual([
    "gpu: complexity_hint is low",
    "  priority low",
    "",
    "Rules, in their order:",
    "  →  complexity_hint chooses the provider  low",
    "warning: tags:  [31m is not a list of words",
  ]);
});
