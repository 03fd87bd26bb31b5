import type { Service } from "../core/service.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What a terminal sends may come twice: npm passes a Ctrl-C on, and a shell that ends a SIGHUP. That is no second one. */
const ECHOED: readonly NodeJS.Signals[] = ["SIGINT", "SIGHUP"];
const ECHO_MS = 500;

/** Runs a service until a signal comes, also while it starts. The first signal stops it in order, a second one at once. */
export async function runUntilStopped(
  service: Service,
  callbacks: { onStarted: () => void | Promise<void>; onStopping: () => void },
): Promise<void> {
  const asked = firstSignal();
  const run = async () => {
    await service.start();
    await callbacks.onStarted();
    await asked;
  };
  await Promise.race([run(), asked]);
  callbacks.onStopping();
  await service.stop();
}

async function firstSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | null = null;
    const onSignal = (signal: NodeJS.Signals) => {
      const atMs = performance.now();
      const isEcho = ECHOED.includes(signal) && signal === first?.signal && atMs - first.atMs <= ECHO_MS;
      if (first !== null && !isEcho) process.exit(1);
      first ??= { signal, atMs };
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}
