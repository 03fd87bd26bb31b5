import type { Decision, Provider } from "../core/route.ts";
import type { Complexity, TaskHeader } from "../core/task.ts";

/** What routing knows of the platform: null when delegation is not configured. */
export interface Delegation {
  /** The provider for `preferred_ai: auto`, by `complexity_hint`. */
  readonly auto: Readonly<Record<Complexity | "none", Provider>>;
}

/** Decides who does a task. The rules are tried in this order and the first that matches wins. */
export function decide(header: TaskHeader, delegation: Delegation | null): Decision {
  if (header.needsClaudeCode === "unknown") return local("needs_claude_code is neither true nor false");
  if (header.needsClaudeCode) return local("needs_claude_code is true");
  if (header.preferredAi === "claude-code") return local("preferred_ai is claude-code");
  if (header.allowDelegation === "unknown") return local("allow_delegation is neither true nor false");
  if (!header.allowDelegation) return local("allow_delegation is not true");
  if (delegation === null) return local("delegation is not configured (no SECUTOOLS_API_KEY)");
  if (header.preferredAi === "unknown") return local("preferred_ai is not a value we know");
  if (header.preferredAi !== "auto") return delegated(header.preferredAi, `preferred_ai is ${header.preferredAi}`);
  if (header.complexityHint === "unknown") return local("complexity_hint is not a value we know");
  const hint = header.complexityHint;
  return delegated(delegation.auto[hint], hint === "none" ? "no complexity_hint" : `complexity_hint is ${hint}`);
}

function local(reason: string): Decision {
  return { route: "local", reason };
}

function delegated(provider: Provider, reason: string): Decision {
  return { route: "delegated", provider, reason };
}
