import { setMaxListeners } from "node:events";

/**
 * Runs work under a signal of its own, which aborts with any of the given ones or by hand. Rejects with the reason as
 * soon as that happens, however long the work takes to notice. Leaves no listener behind.
 */
export async function abortable<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal, abort: (reason: unknown) => void) => Promise<T>,
): Promise<T> {
  for (const signal of signals) signal.throwIfAborted();
  const controller = new AbortController();
  const follow = () => controller.abort(signals.find((signal) => signal.aborted)?.reason);
  // As many as there are calls under way is no leak.
  setMaxListeners(0, ...signals);
  for (const signal of signals) signal.addEventListener("abort", follow);
  try {
    return await new Promise<T>((resolve, reject) => {
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
      work(controller.signal, (reason) => controller.abort(reason)).then(resolve, reject);
    });
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", follow);
  }
}
