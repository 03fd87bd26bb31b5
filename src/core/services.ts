import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "./service.ts";

/** How long a stop may take: some parts wait for a Redis that is away, for as long as it takes. */
const STOP_MS = 1_500;

/** The parts of a program, started one after the other and stopped in reverse, once. */
export class Services {
  readonly #running: Service[] = [];
  readonly #abort = new AbortController();
  #starting: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  get areRunning(): boolean {
    return this.#running.length > 0;
  }

  /** Aborts as soon as the parts are to stop: nothing has to start any more. */
  get stopping(): AbortSignal {
    return this.#abort.signal;
  }

  async start<T extends Service>(service: T): Promise<T> {
    this.stopping.throwIfAborted();
    const starting = this.#start(service);
    this.#starting = starting.catch(() => {});
    return await starting;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #start<T extends Service>(service: T): Promise<T> {
    await service.start();
    this.#running.push(service);
    return service;
  }

  /** Whoever still stops at the deadline is waited for no more, and so is everyone after. */
  async #stop(): Promise<void> {
    const deadline = sleep(STOP_MS, undefined, { ref: false });
    await Promise.race([this.#starting, deadline]);
    for (const service of this.#running.splice(0).reverse()) await Promise.race([service.stop(), deadline]);
  }
}
