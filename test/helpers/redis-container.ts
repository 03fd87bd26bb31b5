import { randomBytes } from "node:crypto";
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from "testcontainers";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The Redis that all tests share, each with a database of its own; null where each starts its own. */
    redisUrl: string | null;
  }
}

const IMAGE = "redis:8-bookworm";
/** One a test, and never the same twice. */
const DATABASES = 10_000;

/**
 * Where the integration tests find Redis, as CCL_QUEUE_TEST_REDIS says: `container`, or `private` for a redis-server of
 * each test's own. Unless it is set: a container where there is an engine that has one.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const wanted = process.env["CCL_QUEUE_TEST_REDIS"] ?? "";
  if (!["", "container", "private"].includes(wanted)) throw new Error(`CCL_QUEUE_TEST_REDIS: container or private`);
  const started = wanted === "private" ? null : await startRedis(wanted === "container");
  project.provide("redisUrl", started?.url ?? null);
  return async () => {
    await started?.container.stop();
  };
}

/** null where none can be had and none must be. */
async function startRedis(isRequired: boolean): Promise<{ container: StartedTestContainer; url: string } | null> {
  try {
    await getContainerRuntimeClient();
    const password = randomBytes(16).toString("hex");
    const settings = {
      requirepass: password,
      databases: DATABASES,
      appendonly: "yes",
      appendfsync: "always",
      save: "",
    };
    const container = await new GenericContainer(IMAGE)
      .withCommand(["redis-server", ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, `${value}`])])
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
      .start();
    return { container, url: `redis://:${password}@${container.getHost()}:${container.getMappedPort(6379)}` };
  } catch (error) {
    if (isRequired) throw error;
    process.stderr.write(`each test starts a redis-server of its own, as no container can be had: ${error}\n`);
    return null;
  }
}
