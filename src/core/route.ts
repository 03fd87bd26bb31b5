/** The remote providers that secutools offers. */
export const PROVIDERS = ["gpu", "gemini", "claude-api"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Who does a task, and why: the reason is one clause that a person reads. */
export type Decision =
  | { readonly route: "local"; readonly reason: string }
  | { readonly route: "delegated"; readonly provider: Provider; readonly reason: string };
