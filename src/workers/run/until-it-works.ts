import { setTimeout as sleep } from "node:timers/promises";

/** How soon a step is tried again that failed, such as writing to a full disk. */
const RETRY_MS = 5_000;

/** Repeats a step that may be repeated until it works; null when a stop comes first. */
export async function untilItWorks<T>(
  step: () => Promise<T>,
  onError: (error: unknown) => void,
  stopped: AbortSignal,
): Promise<T | null> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      onError(error);
    }
    await sleep(RETRY_MS, undefined, { signal: stopped }).catch(() => {});
    if (stopped.aborted) return null;
  }
}
