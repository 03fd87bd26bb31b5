import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { renderFooter } from "../../src/ledger/footer.ts";
import { delegable, row, startDelegation } from "../helpers/delegation.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { loseRedis } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const folder = (queue: QueueFixture, name: string) => join(queue.project, ".agent-queue", name);

/** Another text of the same name that had the id, too, as a Redis that was set back gives it out, and its next run. */
async function writeOther(queue: QueueFixture, id: string): Promise<string> {
  const text = `Another text.\n${renderFooter({ result: "done", finishedAt: new Date(), run: `${id}-2` })}`;
  await writeFile(join(folder(queue, "done"), "x.md"), text);
  return text;
}

/** The id of the task whose result this is. */
function idOf(result: string): string {
  const [id = ""] = row(result, "run")?.split("-") ?? [];
  return id;
}

/** Redis forgets everything, and the failed task is put back. */
async function putBack(queue: QueueFixture): Promise<void> {
  await queue.app.stop();
  await loseRedis(queue.config);
  await rm(join(queue.config.stateDir, "runs"), { recursive: true, force: true });
  await rename(join(folder(queue, "failed"), "x.md"), join(folder(queue, "inbox"), "x.md"));
  await queue.app.start();
}

describe("a run's number that another text of the same name and id has had", () => {
  test("is not given to a task of the local pool", async () => {
    const queue = await startQueue({ yaml: "pool: { autonomous: { min: 1, max: 1 } }" });
    cleanups.push(async () => await queue.stop());
    await queue.drop("first.md", "It makes done/.\n");
    await queue.settled("done", 1);
    const text = "Build it.\nagent: needs ready.txt\n";
    await queue.drop("x.md", text);
    await queue.settled("failed", 1);
    const id = idOf(await queue.read("failed", "x.md"));
    const other = await writeOther(queue, id);
    await writeFile(join(queue.project, "ready.txt"), "");
    await putBack(queue);
    expect(await queue.settled("done", 3)).toEqual(expect.arrayContaining(["x-2.md", "x.md"]));
    const result = await queue.read("done", "x-2.md");
    expect([result.startsWith(text), row(result, "run")]).toEqual([true, `${id}-3`]);
    expect(await queue.read("done", "x.md")).toBe(other);
  });

  test("is not given to one that is delegated", async () => {
    const delegation = await startDelegation({ platform: { delayMs: 0 } });
    cleanups.push(async () => await delegation.stop());
    const { queue, platform } = delegation;
    await queue.drop("first.md", delegable("It makes done/."));
    await queue.settled("done", 1);
    const text = delegable("secutools: fail broken");
    await queue.drop("x.md", text);
    await queue.settled("failed", 1);
    const id = idOf(await queue.read("failed", "x.md"));
    const other = await writeOther(queue, id);
    await putBack(queue);
    await until("it has failed again", () => delegation.events("failed").length === 2);
    expect(platform.jobs().map(({ key }) => key)).toEqual([expect.any(String), `${id}-1`, `${id}-3`]);
    const result = await queue.read("failed", "x.md");
    expect([result.startsWith(text), row(result, "run")]).toEqual([true, `${id}-3`]);
    expect(await queue.read("done", "x.md")).toBe(other);
    expect(await queue.names("inbox")).toEqual([]);
  });
});
