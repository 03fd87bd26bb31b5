import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Service } from "../core/service.ts";
import { connect, type RedisClient, type WorkspaceRedis } from "./connection.ts";
import { keyPrefix } from "./names.ts";

const step = z.object({ atMs: z.number(), type: z.string(), text: z.string() });
/** One thing that happened to a task. */
export type Step = Readonly<z.infer<typeof step>>;

/** A task that is tried for days has more than anybody reads. */
const MAX_STEPS = 500;
const NOTE = `
if redis.call("RPUSH", KEYS[1], ARGV[1]) > ${MAX_STEPS} then redis.call("LPOP", KEYS[1]) end
redis.call("PEXPIRE", KEYS[1], ARGV[2])`;
/** Steps come in crowds, and each write of its own would cost a write to the disk: nobody reads sooner. */
const GATHER_MS = 20;

export interface JournalOptions extends WorkspaceRedis {
  /** For how long after its last step a task's journal is kept. */
  readonly retentionMs: number;
}

/** What happened to each task, step by step, however often it was put back and done again. */
export class Journal implements Service {
  readonly #options: JournalOptions;
  readonly #redis: RedisClient;
  #gathered: { readonly id: string; readonly noted: Step }[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#redis = connect(options.address);
    this.#redis.on("error", options.onError);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#write().catch(this.#options.onError);
    await this.#redis.quit().catch(() => {});
  }

  /** Notes a step without waiting for it: no task is held up by its journal. */
  note(id: string, noted: Step): void {
    this.#gathered.push({ id, noted });
    this.#timer ??= setTimeout(() => void this.#write().catch(this.#options.onError), GATHER_MS);
  }

  /** The first step first; none for a task that nobody knows. */
  async read(id: string): Promise<Step[]> {
    await this.#write();
    const lines = await this.#redis.lrange(this.#key(id), 0, -1);
    return lines.flatMap((line) => step.safeParse(parseJson(line)).data ?? []);
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    const pipeline = this.#redis.pipeline();
    for (const { id, noted } of this.#gathered.splice(0))
      pipeline.eval(NOTE, 1, this.#key(id), JSON.stringify(noted), this.#options.retentionMs);
    const [failed] = ((await pipeline.exec()) ?? []).flatMap(([error]) => error ?? []);
    if (failed !== undefined) throw failed;
  }

  #key(id: string): string {
    return `${keyPrefix(this.#options.workspace)}:journal:${id}`;
  }
}
