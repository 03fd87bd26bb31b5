import type { Service } from "../core/service.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** npm passes on a Ctrl-C that the terminal has sent us already: that is no second one. */
const SAME_SIGNAL_MS = 500;

/** Runs a service until a signal comes. The first signal stops it in order, a second one at once. */
export async function runUntilStopped(
  service: Service,
  callbacks: { onStarted: () => void | Promise<void>; onStopping: () => void },
): Promise<void> {
  const asked = firstSignal();
  await service.start();
  await callbacks.onStarted();
  await asked;
  callbacks.onStopping();
  await service.stop();
}

async function firstSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    let firstMs: number | null = null;
    const onSignal = () => {
      if (firstMs !== null && performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(1);
      firstMs ??= performance.now();
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}
