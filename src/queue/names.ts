/** The queues, in the order a task passes through them: `inbox`, then one of `local` and `delegated`. */
export const INBOX_QUEUE = "inbox";
export const LOCAL_QUEUE = "local";
export const DELEGATED_QUEUE = "delegated";
/** The queue of the reaper's ticks. */
export const REAPER_QUEUE = "reaper";

/** The prefix of a workspace's keys: in braces, so that Redis Cluster keeps them in one slot. */
export function keyPrefix(workspace: string): string {
  return `{ccl-queue:${workspace}}`;
}
