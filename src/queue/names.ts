/** The queues, in the order a task passes through them. */
export const INBOX_QUEUE = "inbox";
export const LOCAL_QUEUE = "local";

/** The prefix of a workspace's keys: in braces, so that Redis Cluster keeps them in one slot. */
export function keyPrefix(workspace: string): string {
  return `{ccl-queue:${workspace}}`;
}
