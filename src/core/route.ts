/** The remote providers that secutools offers. */
export const PROVIDERS = ["gpu", "gemini", "claude-api"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Who does a task, and why: the reason is one clause that a person reads. */
export type Decision =
  | { readonly route: "local"; readonly reason: string }
  | { readonly route: "delegated"; readonly provider: Provider; readonly reason: string };

/** How the reason begins where the local pool does what the platform should have done. */
export const FALLBACK = {
  refused: "secutools would not take it",
  notConfigured: "delegation is not configured any more",
} as const;

/** The reason of a task that went to the platform or came back from it: lists tell it. null for any other. */
export function notableReason({ route, reason }: { route: string | null; reason: string | null }): string | null {
  const fellBack = Object.values(FALLBACK).some((beginning) => reason?.startsWith(beginning));
  return route === "delegated" || fellBack ? reason : null;
}
