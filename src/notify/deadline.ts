import { formatDuration } from "../core/duration.ts";

/** Runs work under a signal that aborts with the given one, or when the time is over. Leaves no timer behind. */
export async function within<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const follow = () => controller.abort(signal.reason);
  const late = setTimeout(() => controller.abort(new Error(`not over within ${formatDuration(timeoutMs)}`)), timeoutMs);
  signal.addEventListener("abort", follow, { once: true });
  if (signal.aborted) follow();
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", follow);
  }
}
