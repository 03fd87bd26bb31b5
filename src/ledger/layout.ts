import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { TaskFile } from "../core/task.ts";

/** The folder in a project that holds its inbox and what became of its tasks. */
export const QUEUE_DIR = ".agent-queue";
/** The folder in QUEUE_DIR that tasks are dropped into. */
export const INBOX = "inbox";
const CLAIM_SUFFIX = ".dispatched";
const MARKER_SUFFIX = ".delegated";
const ENDING_SUFFIX = ".ending";

/** Where a task can end. */
export const SHELVES = ["done", "failed"] as const;
export type Shelf = (typeof SHELVES)[number];

export function inboxDir(project: string): string {
  return join(project, QUEUE_DIR, INBOX);
}

export function shelfDir(project: string, shelf: Shelf): string {
  return join(project, QUEUE_DIR, shelf);
}

/** A waiting task's path. */
export function taskPath({ project, name }: TaskFile): string {
  return join(inboxDir(project), name);
}

/** The path of a task that runs in a local session. */
export function claimedPath(task: TaskFile): string {
  return taskPath(task) + CLAIM_SUFFIX;
}

/** The path of the marker beside a task that is with secutools. */
export function markerPath(task: TaskFile): string {
  return taskPath(task) + MARKER_SUFFIX;
}

/** What keeps anybody else from ending a task that is with secutools. */
export function endingPath({ project, name }: TaskFile): string {
  return join(inboxDir(project), `.${name}${ENDING_SUFFIX}`);
}

/** Where something is written before it has its place in an inbox; nobody else writes there. */
export function inboxDraftPath(project: string): string {
  return join(inboxDir(project), `.${randomUUID()}.draft`);
}

/** Where the end of a run, or a cancellation, has a task's file. */
export function takenPath({ project }: Pick<TaskFile, "project">, run: string): string {
  return join(inboxDir(project), `.${run}.taken`);
}

/** Whose end has the file behind this name in an inbox, or null for any other file. */
export function takenBy(name: string): string | null {
  return /^\.(.+)\.taken$/.exec(name)?.[1] ?? null;
}

/** Whether a name in an inbox is a task's: markdown, and neither hidden nor an editor's leftover. */
export function isTaskName(name: string): boolean {
  return name.endsWith(".md") && !name.startsWith(".");
}

/** The task's name behind a claim's, or null for any other file. */
export function claimedTaskName(name: string): string | null {
  return withoutSuffix(name, CLAIM_SUFFIX);
}

/** The task's name behind a marker's, or null for any other file. */
export function markedTaskName(name: string): string | null {
  return withoutSuffix(name, MARKER_SUFFIX);
}

/** The task's name behind that of its end, or null for any other file. */
export function endingTaskName(name: string): string | null {
  return name.startsWith(".") ? withoutSuffix(name.slice(1), ENDING_SUFFIX) : null;
}

function withoutSuffix(name: string, suffix: string): string | null {
  const task = name.endsWith(suffix) ? name.slice(0, -suffix.length) : "";
  return isTaskName(task) ? task : null;
}
