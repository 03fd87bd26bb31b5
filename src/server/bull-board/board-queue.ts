import type { BullMQAdapter } from "@bull-board/api/bullMQAdapter";

/** A queue as Bull Board shows it, and all that people may do to its jobs. */
export interface BoardQueue {
  readonly name: "inbox" | "local" | "delegated" | "reaper" | "notifications";
  readonly queue: ConstructorParameters<typeof BullMQAdapter>[0];
  /** The ids of the jobs that failed, the first one first. */
  failed(): Promise<string[]>;
  /** What people call a job; null when it is gone. */
  nameOf(id: string): Promise<string | null>;
  /** Has a failed job's work done once more. False when it has not failed, or is gone. */
  again(id: string): Promise<boolean>;
  /** Ends a job's delay. False when it has none, or is gone. */
  promote(id: string): Promise<boolean>;
  promoteAll(): Promise<void>;
  resume(): Promise<void>;
}

/** The queues where a finished job's task can be put back: its file is in `failed/` or `done/`. */
export function hasFinishedTasks({ name }: BoardQueue): boolean {
  return name === "local" || name === "delegated";
}

/** The queues of which nothing may be changed: what they hold comes again by itself. */
export function isForLooking({ name }: BoardQueue): boolean {
  return name === "inbox" || name === "reaper";
}
