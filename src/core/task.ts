import { basename } from "node:path";
import { PROVIDERS } from "./route.ts";

/** The levels of urgency, most urgent first. */
export const PRIORITIES = ["critical", "high", "default", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Where a task stands. `delayed` = tried again later; `delegated` = with secutools. */
export const TASK_STATES = ["waiting", "delayed", "running", "delegated", "done", "failed", "cancelled"] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** Who may be asked for by `preferred_ai`. */
export const PREFERRED_AI = ["auto", "claude-code", ...PROVIDERS] as const;
type PreferredAi = (typeof PREFERRED_AI)[number];

/** How hard a task is said to be by `complexity_hint`. */
export const COMPLEXITIES = ["low", "medium", "high"] as const;
export type Complexity = (typeof COMPLEXITIES)[number];

/** A task file's place: the project's absolute path and the file's name in its inbox. */
export interface TaskFile {
  readonly project: string;
  readonly name: string;
}

/**
 * What a task file's frontmatter says, with the defaults filled in.
 * `unknown` stands for a value that we do not know: it never leads to delegation.
 */
export interface TaskHeader {
  readonly title: string | null;
  readonly priority: Priority;
  readonly tags: readonly string[];
  readonly needsClaudeCode: boolean | "unknown";
  readonly preferredAi: PreferredAi | "unknown";
  readonly allowDelegation: boolean | "unknown";
  readonly complexityHint: Complexity | "none" | "unknown";
  /** How long the agent may show no sign of life; null = as configured. */
  readonly timeoutMs: number | null;
}

/** BullMQ's priority of a level: lower goes first, and 0 would mean none. */
export function bullPriority(priority: Priority): number {
  return PRIORITIES.indexOf(priority) + 1;
}

/** How people call a task: the project directory's own name, a slash, the file's name. */
export function taskLabel({ project, name }: TaskFile): string {
  return `${basename(project)}/${name}`;
}
