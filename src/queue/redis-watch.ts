import { EventEmitter } from "node:events";
import { QueueError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";

/** How often Redis is asked whether it is there, and how long it may take to say so. */
const ASK_MS = 1_000;

export interface RedisWatchOptions {
  readonly address: RedisAddress;
  readonly onError: (error: Error) => void;
}

/** Knows at any time whether Redis answers, so that nobody has to find out by waiting, and tells when it is back. */
export class RedisWatch implements Service {
  readonly #redis: RedisClient;
  readonly #onError: (error: Error) => void;
  readonly #changes = new EventEmitter<{ back: []; away: [] }>();
  #isUp = true;
  #timer: NodeJS.Timeout | null = null;
  #asking: Promise<void> | null = null;

  constructor({ address, onError }: RedisWatchOptions) {
    this.#redis = connect(address);
    this.#onError = onError;
    this.#changes.setMaxListeners(0);
    this.#redis.on("error", onError);
    this.#redis.on("close", () => this.#set(false));
    this.#redis.on("ready", () => this.#ask());
  }

  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.#ask(), ASK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer ?? undefined);
    this.#timer = null;
    this.#changes.removeAllListeners();
    this.#redis.disconnect();
  }

  /** Calls back each time Redis answers again. It may have forgotten what it knew. */
  onBack(listener: () => void): void {
    this.#changes.on("back", listener);
  }

  /** @throws {QueueError} REDIS_UNREACHABLE */
  check(): void {
    if (!this.#isUp) throw away();
  }

  /** Does what needs Redis, for as long as Redis is there. @throws {QueueError} REDIS_UNREACHABLE */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    let leave = (_error: QueueError) => {};
    const gone = new Promise<never>((_, reject) => (leave = reject));
    const onAway = () => leave(away());
    this.#changes.once("away", onAway);
    try {
      return await Promise.race([work(), gone]);
    } finally {
      this.#changes.off("away", onAway);
    }
  }

  /** One that hangs keeps the connection and answers nothing. */
  #ask(): void {
    if (this.#asking !== null) this.#set(false);
    this.#asking ??= this.#redis
      .ping()
      .then(
        () => this.#set(true),
        () => this.#set(false),
      )
      .finally(() => {
        this.#asking = null;
      });
  }

  #set(isUp: boolean): void {
    if (isUp === this.#isUp || this.#timer === null) return;
    this.#isUp = isUp;
    if (!isUp) this.#onError(away());
    this.#changes.emit(isUp ? "back" : "away");
  }
}

function away(): QueueError {
  return new QueueError("Redis does not answer", {
    code: "REDIS_UNREACHABLE",
    hint: "agents go on, and the queue catches up once it is back",
  });
}
