import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../../src/config/environment.ts";
import { connect, type RedisAddress, type RedisClient } from "../../src/queue/connection.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { Fetcher } from "../../src/queue/fetcher.ts";
import { DELEGATED_QUEUE, INBOX_QUEUE, LOCAL_QUEUE } from "../../src/queue/names.ts";
import {
  type DelegatedPayload,
  delegatedPayload,
  type LocalPayload,
  localPayload,
  type TaskPayload,
  taskPayload,
} from "../../src/queue/payload.ts";
import { TaskIndex } from "../../src/queue/task-index.ts";
import { TaskQueues } from "../../src/queue/task-queues.ts";

/** The queues on a Redis of their own, without the daemon that works them off. */
export interface BareQueues {
  readonly dir: string;
  readonly shared: { readonly address: RedisAddress; readonly workspace: string; readonly onError: () => void };
  readonly redis: RedisClient;
  readonly queues: TaskQueues;
  readonly index: TaskIndex;
  readonly errors: unknown[];
  /** Whoever fetches from each queue. */
  readonly inbox: Fetcher<TaskPayload>;
  readonly local: Fetcher<LocalPayload>;
  readonly delegated: Fetcher<DelegatedPayload>;
  stop(): Promise<void>;
}

export async function startBareQueues(): Promise<BareQueues> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-bare-"));
  const server = new EmbeddedRedis(join(dir, "state"), childEnvironment({ HOME: dir }));
  await server.start();
  const errors: unknown[] = [];
  const onError = (error?: unknown) => void errors.push(error);
  const shared = { address: server.address, workspace: "w", onError };
  const queues = new TaskQueues({ ...shared, retentionMs: 60_000 });
  const index = new TaskIndex(shared);
  const fetcher = { ...shared, token: "t" };
  const inbox = new Fetcher({ ...fetcher, queue: INBOX_QUEUE, payload: taskPayload });
  const local = new Fetcher({ ...fetcher, queue: LOCAL_QUEUE, payload: localPayload });
  const delegated = new Fetcher({ ...fetcher, queue: DELEGATED_QUEUE, payload: delegatedPayload });
  const services = [queues, index, inbox, local, delegated];
  for (const service of services) await service.start();
  const redis = connect(server.address);
  return {
    ...{ dir, shared, redis, queues, index, errors, inbox, local, delegated },
    stop: async () => {
      redis.disconnect();
      for (const service of services.reverse()) await service.stop();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A task as the door hands it in; its file need not exist. */
export function payload(name: string, more: Partial<TaskPayload["header"]> = {}, project = "/srv/alpha"): TaskPayload {
  const deciding = {
    needsClaudeCode: false,
    preferredAi: "auto",
    allowDelegation: false,
    complexityHint: "none",
  } as const;
  const header = { title: null, priority: "default", tags: [], timeoutMs: null, ...deciding, ...more } as const;
  return { project, name, fingerprint: `of ${name}`, earlierRuns: 0, header: { ...header, tags: [...header.tags] } };
}

/** The same once it is routed to the local pool. */
export function localTask(task: TaskPayload, more: Partial<LocalPayload> = {}): LocalPayload {
  return { ...task, reason: "it is local", attempts: 0, ending: null, resume: null, ...more };
}

/** The same once it is routed to secutools. */
export function delegatedTask(task: TaskPayload, more: Partial<DelegatedPayload> = {}): DelegatedPayload {
  return { ...task, reason: "it may be", attempts: 0, ending: null, provider: "gpu", remote: null, ...more };
}
