import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TaskEvents } from "../../src/core/events.ts";
import { keyPrefix, LOCAL_QUEUE } from "../../src/queue/names.ts";
import { type RunRecord, runRecord } from "../../src/workers/run/record.ts";
import { isStillOurs } from "../../src/workers/run/standing.ts";
import { type BareQueues, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";

const JOB = "kabcdefghi";
let bare: BareQueues;
let record: RunRecord;
const events = new TaskEvents();
const standing = async () => await bare.local.standing(JOB, record.id);
const ask = async () => await isStillOurs({ queues: bare.queues, fetcher: bare.local, events }, record);
const lock = async (token: string) => await bare.redis.set(`${keyPrefix("w")}:${LOCAL_QUEUE}:${JOB}:lock`, token);

/** A run that holds its job and its file. */
beforeEach(async () => {
  bare = await startBareQueues();
  const project = join(bare.dir, "alpha");
  const inbox = join(project, ".agent-queue", "inbox");
  await mkdir(inbox, { recursive: true });
  await writeFile(join(inbox, "x.md.dispatched"), "Do it.\n");
  await bare.queues.toLocal(JOB, localTask(payload("x.md", {}, project)));
  await bare.local.fetch();
  const zero = "00000000-0000-4000-8000-000000000000";
  record = runRecord.parse({
    ...{ id: `${JOB}-1`, job: JOB, project, name: "x.md", priority: "default", reason: "it is local", attempt: 1 },
    ...{ session: "ccl-auto-11", model: "sonnet", claudeSession: zero, resumed: false, promptHash: "" },
    ...{ timeoutMs: 1_000, preparedAtMs: 1, state: { name: "launched", atMs: 1 } },
  });
  expect(await standing()).toBe("ours");
});
afterEach(async () => await bare.stop());

test("a run whose job somebody else has is not ours any more", async () => {
  await lock("somebody else");
  expect(await ask()).toBe(false);
});

test("a run whose job was somebody else's for a moment is still ours", async () => {
  await lock("somebody else");
  const answer = ask();
  await sleep(300);
  await lock("t");
  expect(await answer).toBe(true);
});

test("a run that has begun to end its task goes on with it, though a Redis that was set back lets it wait", async () => {
  const inbox = join(record.project, ".agent-queue", "inbox");
  await rename(join(inbox, "x.md.dispatched"), join(inbox, `.${record.id}.taken`));
  await bare.local.putBack(JOB);
  expect(await standing()).toBe("waiting");
  expect(await ask()).toBe(true);
});

test("a run whose job Redis loses while it is asked for is known again", async () => {
  // What one look finds half of is taken for somebody else's.
  await lock("somebody else");
  const answer = ask();
  await sleep(300);
  await bare.redis.flushdb();
  expect(await answer).toBe(true);
  expect(await standing()).toBe("ours");
});
