import { randomBytes } from "node:crypto";
import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";
import type { TestProject } from "vitest/node";
import { prepareRedisServers } from "./redis-servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The Redis that all tests share, each with a database of its own; null where each starts its own. */
    redisUrl: string | null;
  }
}

interface SharedRedis {
  readonly url: string;
  stop(): Promise<void>;
}

const IMAGE = "redis:8-bookworm";
const PROVIDERS = ["container", "server", "private"];
/** One a test, and never the same twice. */
const DATABASES = 10_000;

/**
 * Where the integration tests find Redis, as CCL_QUEUE_TEST_REDIS says: in a `container`, in a `server` for all of them,
 * or each in a `private` one. Unless it is set: in a container where there is an engine that has one, else in a server.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRedis(process.env["CCL_QUEUE_TEST_REDIS"] ?? "");
  project.provide("redisUrl", redis?.url ?? null);
  return async () => await redis?.stop();
}

async function startRedis(provider: string): Promise<SharedRedis | null> {
  const password = randomBytes(16).toString("hex");
  if (provider === "private") return null;
  if (provider === "server") return await startServer(password);
  if (provider === "container") return await startContainer(password);
  if (provider !== "") throw new Error(`CCL_QUEUE_TEST_REDIS: one of ${PROVIDERS.join(", ")}`);
  return await startContainer(password).catch(async (error: unknown) => {
    process.stderr.write(`the tests share a redis-server, as no container can be had: ${error}\n`);
    return await startServer(password);
  });
}

async function startContainer(password: string): Promise<SharedRedis> {
  await getContainerRuntimeClient();
  const args = settings(password).flatMap(([key, value]) => [`--${key}`, value]);
  const container = await new GenericContainer(IMAGE)
    .withCommand(["redis-server", ...args])
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
  return {
    url: `redis://:${password}@${container.getHost()}:${container.getMappedPort(6379)}`,
    stop: async () => void (await container.stop()),
  };
}

async function startServer(password: string): Promise<SharedRedis> {
  const servers = await prepareRedisServers();
  const lines = settings(password).map(([key, value]) => `${key} ${value || '""'}`);
  const { port } = await servers.start(lines, { cli: ["--no-auth-warning", "-a", password] });
  return { url: `redis://:${password}@127.0.0.1:${port}`, stop: servers.stop };
}

function settings(password: string): [key: string, value: string][] {
  return [
    ["requirepass", password],
    ["databases", String(DATABASES)],
    ["appendonly", "yes"],
    ["appendfsync", "always"],
    ["save", ""],
  ];
}
