/**
 * Wraps a task so that at most one instance of it runs: calls made while it runs cause exactly one run more.
 * Every call resolves when a run that began after it has ended, so nothing that was known at the call is missed.
 */
export function coalesce(task: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  const run = (): Promise<void> => {
    next = null;
    current = task().finally(() => {
      current = null;
    });
    return current;
  };
  return () => {
    if (next !== null) return next;
    if (current === null) return run();
    next = current.catch(() => {}).then(run);
    return next;
  };
}
