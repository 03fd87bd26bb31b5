import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { TaskIndex } from "../../src/queue/task-index.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

test("jobs and run directories go when they were kept long enough, though nothing else ends meanwhile", async () => {
  const pool = "pool: { autonomous: { min: 2, max: 2 } }";
  queue = await startQueue({ yaml: `${pool}\nretention: { jobs: 4s, runs: 4s }` });
  const index = new TaskIndex({ ...queue.config, address: redisOf(queue.config), onError: () => {} });
  const kept = async () => {
    const { total } = await index.first(["done", "failed", "running"], 10);
    return `${total} jobs, ${(await readdir(join(queue.config.stateDir, "runs"))).length} directories`;
  };
  try {
    await queue.drop("goes-on.md", "agent: hang\n");
    await queue.drop("done.md", "done\n");
    await queue.drop("fails.md", "agent: exit 7\n");
    await queue.settled("done", 1);
    await queue.settled("failed", 1);
    expect(await kept()).toBe("3 jobs, 3 directories");
    await until("what is over is gone", async () => (await kept()) === "1 jobs, 1 directories");
    expect(await queue.names("done")).toEqual(["done.md"]);
    expect(await queue.names("failed")).toEqual(["fails.md"]);
  } finally {
    await index.stop();
  }
});
