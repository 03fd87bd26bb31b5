import type { TaskHeader } from "../core/task.ts";
import type { Delegation } from "../router/decide.ts";

/** A rule of the router as far as one task goes: what it asks, what is found, and whether that decides. */
export interface RuleLook {
  readonly rule: string;
  readonly found: string;
  readonly decides: boolean;
}

/** The rules of {@link decide} that were looked at, up to the one that decided. A test holds the two equal. */
export function rulesLookedAt(header: TaskHeader, delegation: Delegation | null): RuleLook[] {
  const { needsClaudeCode, preferredAi, allowDelegation, complexityHint } = header;
  const rules: RuleLook[] = [
    look("needs_claude_code must be false", needsClaudeCode, needsClaudeCode !== false),
    look("preferred_ai must not be claude-code", preferredAi, preferredAi === "claude-code"),
    look("allow_delegation must be true", allowDelegation, allowDelegation !== true),
    look("delegation must be configured", delegation === null ? "it is not" : "it is", delegation === null),
    look("preferred_ai may name a provider", preferredAi, preferredAi !== "auto"),
    look("complexity_hint chooses the provider", complexityHint, true),
  ];
  return rules.slice(0, rules.findIndex(({ decides }) => decides) + 1);
}

function look(rule: string, found: string | boolean, decides: boolean): RuleLook {
  return { rule, found: found === "unknown" ? "a value that is not known" : String(found), decides };
}
