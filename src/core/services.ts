import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "./service.ts";

/** How long a part may take to stop: some wait for a Redis that is away, for as long as it takes. */
const STOP_MS = 2_000;

/** The parts of a program, started one after the other and stopped in reverse. */
export class Services {
  readonly #running: { readonly service: Service; readonly stopMs: number }[] = [];

  get areRunning(): boolean {
    return this.#running.length > 0;
  }

  /** Starts a part, which has so long to stop in its turn. */
  async start<T extends Service>(service: T, stopMs = STOP_MS): Promise<T> {
    await service.start();
    this.#running.push({ service, stopMs });
    return service;
  }

  async stop(): Promise<void> {
    for (const { service, stopMs } of this.#running.splice(0).reverse())
      await Promise.race([service.stop(), sleep(stopMs, undefined, { ref: false })]);
  }
}
