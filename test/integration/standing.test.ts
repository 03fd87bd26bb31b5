import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TaskEvents } from "../../src/core/events.ts";
import { keyPrefix, LOCAL_QUEUE } from "../../src/queue/names.ts";
import { type RunRecord, runRecord } from "../../src/workers/run/record.ts";
import { isStillOurs } from "../../src/workers/run/standing.ts";
import { RunStore } from "../../src/workers/run/store.ts";
import { type BareQueues, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";

const JOB = "kabcdefghi";
let bare: BareQueues;
let record: RunRecord;
let store: RunStore;
const events = new TaskEvents();
const standing = async () => await bare.local.standing(JOB, record.id);
const ask = async () => await isStillOurs({ queues: bare.queues, fetcher: bare.local, events, store }, record);
const lock = async (token: string) => await bare.redis.set(`${keyPrefix("w")}:${LOCAL_QUEUE}:${JOB}:lock`, token);

/** A run that holds its job and its file. */
beforeEach(async () => {
  bare = await startBareQueues();
  const project = join(bare.dir, "alpha");
  const inbox = join(project, ".agent-queue", "inbox");
  await mkdir(inbox, { recursive: true });
  await writeFile(join(inbox, "x.md.dispatched"), "Do it.\n");
  await bare.queues.toLocal([{ id: JOB, payload: localTask(payload("x.md", {}, project)) }]);
  await bare.local.fetch();
  const zero = "00000000-0000-4000-8000-000000000000";
  record = runRecord.parse({
    ...{ id: `${JOB}-1`, job: JOB, project, name: "x.md", priority: "default", reason: "it is local", attempt: 1 },
    ...{ session: "ccl-auto-11", model: "sonnet", claudeSession: zero, resumed: false, promptHash: "" },
    ...{ timeoutMs: 1_000, preparedAtMs: 1, state: { name: "launched", atMs: 1 } },
  });
  store = new RunStore(join(bare.dir, "state"));
  await store.create(record);
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

test("a run is still ours, and its job held again, where Redis was set back to a time when the task was over", async () => {
  await bare.local.complete(JOB, { result: "done", path: null, by: null, spent: null });
  record = { ...record, id: `${JOB}-2` };
  expect(await standing()).toBe("unknown");
  expect(await ask()).toBe(true);
  expect(await standing()).toBe("ours");
});

test("a run that is over in Redis is not begun again by that", async () => {
  await bare.local.complete(JOB, { result: "done", path: null, by: null, spent: null });
  expect(await standing()).toBe("ours");
});

test("a run whose project is away is still ours, though a Redis that was set back lets its job wait", async () => {
  await bare.local.putBack(JOB);
  await rename(record.project, `${record.project}-away`);
  expect(await standing()).toBe("waiting");
  expect(await ask()).toBe(true);
});

test("a run whose job Redis has lost is still ours where a new file of the same name has its place", async () => {
  await bare.redis.flushdb();
  const next = payload("x.md", {}, record.project);
  await bare.queues.toLocal([{ id: "zabcdefghi", payload: localTask({ ...next, fingerprint: "of the next" }) }]);
  expect(await standing()).toBe("unknown");
  expect(await ask()).toBe(true);
});

describe("a run whose job its own host has fetched once more, from a Redis that was set back", () => {
  beforeEach(async () => {
    // The number of the run is taken, so the job gets the next one.
    await bare.local.amend(JOB, { earlierRuns: 1 });
    expect(await standing()).toBe("held");
  });

  test("is still ours where the host has not begun the task anew", async () => {
    expect(await ask()).toBe(true);
  });

  test("is still ours where the other start finds its file claimed, and puts the job back", async () => {
    await store.create({ ...record, id: `${JOB}-2` });
    const answer = ask();
    await sleep(1_500);
    await store.remove(`${JOB}-2`);
    await bare.local.putBack(JOB);
    expect(await answer).toBe(true);
    expect(await standing()).toBe("ours");
  });

  test("is not ours where the host runs the task anew", async () => {
    await store.create({ ...record, id: `${JOB}-2` });
    expect(await ask()).toBe(false);
  });
});
