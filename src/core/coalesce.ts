/** What coalesces the calls of a task. */
export interface Coalesced {
  (): Promise<void>;
  /** Resolves when the run is over that is under way, and the one that was asked for meanwhile. */
  settled(): Promise<void>;
}

/**
 * Wraps a task so that at most one instance of it runs: calls made while it runs cause exactly one run more.
 * Every call resolves when a run that began after it has ended, so nothing that was known at the call is missed.
 */
export function coalesce(task: () => Promise<void>): Coalesced {
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  const run = (): Promise<void> => {
    next = null;
    current = task().finally(() => {
      current = null;
    });
    return current;
  };
  const call = (): Promise<void> => {
    if (next !== null) return next;
    if (current === null) return run();
    next = current.catch(() => {}).then(run);
    return next;
  };
  const settled = async (): Promise<void> => await (next ?? current)?.catch(() => {});
  return Object.assign(call, { settled });
}
