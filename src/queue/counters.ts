import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { keyPrefix } from "./names.ts";

/** A workspace's running totals, over all hosts and restarts. They are for people: a crash may leave one out. */
export class Counters implements Service {
  readonly #redis: RedisClient;
  readonly #key: string;

  constructor({ address, workspace, onError }: WorkspaceRedis) {
    this.#redis = connect(address);
    this.#redis.on("error", onError);
    this.#key = `${keyPrefix(workspace)}:counters`;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#redis.disconnect();
  }

  async add(name: string, amount = 1): Promise<void> {
    await this.#redis.hincrbyfloat(this.#key, name, amount);
  }

  /** Keeps beside the totals what is none, such as a time. */
  async note(name: string, value: number): Promise<void> {
    await this.#redis.hset(this.#key, name, value);
  }

  /** Every total that is not zero, by name. */
  async read(): Promise<ReadonlyMap<string, number>> {
    const totals = await this.#redis.hgetall(this.#key);
    return new Map(Object.entries(totals).map(([name, total]) => [name, Number(total)]));
  }
}
