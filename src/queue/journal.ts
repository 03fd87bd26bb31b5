import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisAddress, type RedisClient } from "./connection.ts";
import { keyPrefix } from "./names.ts";

const step = z.object({ atMs: z.number(), type: z.string(), text: z.string() });
/** One thing that happened to a task. */
export type Step = Readonly<z.infer<typeof step>>;

/** A task that is tried for days has more than anybody reads. */
const MAX_STEPS = 500;

export interface JournalOptions {
  readonly address: RedisAddress;
  readonly workspace: string;
  /** For how long after its last step a task's journal is kept. */
  readonly retentionMs: number;
  readonly onError: (error: unknown) => void;
}

/** What happened to each task, step by step, however often it was put back and done again. */
export class Journal implements Service {
  readonly #options: JournalOptions;
  readonly #redis: RedisClient;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#redis = connect(options.address);
    this.#redis.on("error", options.onError);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#redis.quit().catch(() => {});
  }

  /** Notes a step without waiting for it: no task is held up by its journal. */
  note(id: string, noted: Step): void {
    const key = this.#key(id);
    const written = this.#redis
      .multi()
      .rpush(key, JSON.stringify(noted))
      .ltrim(key, -MAX_STEPS, -1)
      .pexpire(key, this.#options.retentionMs)
      .exec();
    written.catch(this.#options.onError);
  }

  /** The first step first; none for a task that nobody knows. */
  async read(id: string): Promise<Step[]> {
    const lines = await this.#redis.lrange(this.#key(id), 0, -1);
    return lines.flatMap((line) => step.safeParse(parseJson(line)).data ?? []);
  }

  #key(id: string): string {
    return `${keyPrefix(this.#options.workspace)}:journal:${id}`;
  }
}
