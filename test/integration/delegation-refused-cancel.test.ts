import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { delegable } from "../helpers/delegation.ts";
import { startHostilePlatform } from "../helpers/hostile-platform.ts";
import { startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

/** A platform whose job never ends, and which cancels nothing. */
async function startStubborn() {
  return await startHostilePlatform((response, _index, { method }) => {
    const status = { POST: 201, GET: 200 }[method] ?? 409;
    const answer = status === 409 ? { error: { code: "too_late", message: "no" } } : { id: "job-1", status: "running" };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  });
}

test("a task is cancelled here although the platform refuses to cancel it there, and that is told", async () => {
  const platform = await startStubborn();
  onTestFinished(platform.close);
  const queue = await startQueue({ secutools: { url: platform.url, key: "key-1", poll: "200ms" } });
  onTestFinished(queue.stop);
  await queue.drop("away.md", delegable("Do it."));
  await until("it is out", () => queue.events.some(({ type }) => type === "delegated"));
  await rm(join(queue.project, ".agent-queue", "inbox", "away.md"));
  await until("it is cancelled", () => queue.events.some(({ type }) => type === "cancelled"));
  expect(await queue.names("inbox")).toEqual([]);
  expect(queue.errors.map((error) => error instanceof QueueError && error.code)).toEqual(["SECUTOOLS_REFUSED"]);
});
