/** A wait that ends early when somebody pokes it. A poke between two waits ends the next one at once. */
export class Wake {
  #poked = false;
  #end: (() => void) | null = null;

  readonly poke = (): void => {
    this.#poked = true;
    this.#end?.();
  };

  /** Resolves on a poke, when the time is over or when the signal aborts. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#poked && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener("abort", this.#end, { once: true });
      });
      if (this.#end !== null) signal.removeEventListener("abort", this.#end);
      this.#end = null;
    }
    this.#poked = false;
  }
}
