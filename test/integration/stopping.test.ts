import { afterEach, expect, test } from "vitest";
import { connect, probe } from "../../src/queue/connection.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

test("a stop while Redis stands still tells of that, and of no connection that it closed itself", async () => {
  queue = await startQueue({ embeddedRedis: true, sessions: 1, workMs: 60_000 });
  await queue.drop("at-work.md", "Do it.\n");
  await until("it works", async () => (await queue.witness()).some(({ event }) => event === "submit"));
  const redis = connect(redisOf(queue.config));
  await redis.call("CLIENT", "PAUSE", "4000", "ALL");
  redis.disconnect();
  await queue.drop("waiting.md", "Do it.\n");
  await until("it is known", () => queue.errors.length > 0);
  await queue.app.stop();
  await until("its Redis is gone", async () => (await probe(redisOf(queue.config))) === null);
  expect(queue.errors).toEqual([expect.objectContaining({ code: "REDIS_UNREACHABLE" })]);
});
