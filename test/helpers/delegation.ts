import { join } from "node:path";
import { type StandIn, startSecutools } from "../../demo/secutools/server.js";
import { QueueError } from "../../src/core/errors.ts";
import type { TaskEvent } from "../../src/core/events.ts";
import { connect, type RedisClient } from "../../src/queue/connection.ts";
import { Counters } from "../../src/queue/counters.ts";
import { type Gate, openGate } from "./gate.ts";
import { type FixtureOptions, prepareQueue, type QueueFixture } from "./queue-fixture.ts";
import { redisOf } from "./test-redis.ts";

export const KEY = "key-1";

/** A task's file that may be delegated; more lines of its header, where given. */
export function delegable(prompt: string, ...header: string[]): string {
  return `${["---", "allow_delegation: true", ...header, "---", prompt].join("\n")}\n`;
}

export interface DelegationOptions extends Omit<FixtureOptions, "secutools"> {
  readonly platform?: Parameters<typeof startSecutools>[0];
  readonly poll?: string;
  /** More keys of `secutools:`. */
  readonly more?: string;
  /** The key that the queue shows, where it is not the platform's. */
  readonly key?: string;
}

type EventOf<Type extends TaskEvent["type"]> = Extract<TaskEvent, { type: Type }>;

/** A queue, the stand-in that it delegates to, and a gate between the two. */
export interface Delegation {
  readonly queue: QueueFixture;
  readonly platform: StandIn;
  readonly gate: Gate;
  events<Type extends TaskEvent["type"]>(type: Type): EventOf<Type>[];
  /** The codes of the errors that were reported so far, each once, in order. */
  errorCodes(): string[];
  /** What the platform was asked with this method, by path: how often. */
  asked(method: "GET" | "POST" | "DELETE"): number;
  marker(name: string): string;
  /** The names of the markers in the inbox, but for those of tasks that are being submitted. */
  markers(): Promise<string[]>;
  /** The totals that the queue counts in Redis, but for the reaper's ticks. */
  counters(): Promise<Record<string, number>>;
  /** Does something with the queue's Redis. */
  withRedis<T>(use: (redis: RedisClient) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Starts all three. */
export async function startDelegation(options: DelegationOptions = {}): Promise<Delegation> {
  const delegation = await prepareDelegation(options);
  await delegation.queue.app.start();
  return delegation;
}

/** The same, with the queue not started yet. */
export async function prepareDelegation(options: DelegationOptions = {}): Promise<Delegation> {
  const { platform: platformOptions, poll = "200ms", more = "concurrency: 20", key = KEY, ...rest } = options;
  const platform = await startSecutools({ key: KEY, delayMs: 50, ...platformOptions });
  const gate = await openGate(platform.url);
  const queue = await prepareQueue({ ...rest, secutools: { url: gate.url, key, poll, more } });
  const { workspace } = queue.config;
  const address = redisOf(queue.config);
  const marker = (name: string) => join(queue.project, ".agent-queue", "inbox", `${name}.delegated`);
  const events = <Type extends TaskEvent["type"]>(type: Type) =>
    queue.events.filter((event): event is EventOf<Type> => event.type === type);

  return {
    queue,
    platform,
    gate,
    events,
    errorCodes: () => [...new Set(queue.errors.map(codeOf))],
    asked: (method) => platform.requests().filter((request) => request.method === method).length,
    marker,
    markers: async () => {
      const names = (await queue.names("inbox")).filter((name) => name.endsWith(".delegated"));
      const texts = await Promise.all(names.map(async (name) => await queue.read("inbox", name).catch(() => "")));
      return names.filter((_, index) => !(texts[index] ?? "").includes('"remoteId": null'));
    },
    counters: async () => {
      const counters = new Counters({ address, workspace, onError: (error) => queue.errors.push(error) });
      const totals = await counters.read();
      await counters.stop();
      return Object.fromEntries([...totals].filter(([name]) => !name.startsWith("tick")));
    },
    withRedis: async (use) => {
      const redis = connect(address);
      try {
        return await use(redis);
      } finally {
        redis.disconnect();
      }
    },
    stop: async () => {
      await queue.stop();
      await gate.close();
      await platform.close();
    },
  };
}

/** One row of the footer of a finished task, or null. */
export function row(text: string, name: string): string | null {
  const rows = text.slice(text.lastIndexOf("<!-- ccl-queue:footer -->"));
  return new RegExp(`^\\| ${name} \\| (.*) \\|$`, "m").exec(rows)?.[1] ?? null;
}

function codeOf(error: unknown): string {
  if (error instanceof QueueError) return error.code;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
