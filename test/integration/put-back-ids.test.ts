import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TASK_STATES } from "../../src/core/task.ts";
import { cancelledEnding, type TaskPayload } from "../../src/queue/payload.ts";
import type { Enqueued } from "../../src/queue/task-queues.ts";
import { type BareQueues, delegatedTask, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";

const ID = "kabcdefghi";
const ENDING = { path: "/srv/alpha/.agent-queue/failed/x.md", by: "ccl-auto-11", spent: null };

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

const enqueue = async (...entries: [TaskPayload, string | null][]): Promise<Enqueued[]> =>
  await bare.queues.enqueue(entries.map(([task, id]) => ({ payload: task, id })));

async function enqueueOne(task: TaskPayload, id: string | null = null): Promise<Enqueued> {
  const [enqueued] = await enqueue([task, id]);
  return enqueued ?? { id: "", state: "busy" };
}

/** Moves the next task on to the local pool, and gives it to a worker. Returns its id. */
async function run(): Promise<string> {
  const job = await bare.inbox.fetch();
  await bare.queues.toLocal([{ id: job?.id ?? "", payload: localTask(job?.payload ?? payload("none.md")) }]);
  await bare.inbox.complete(job?.id ?? "", cancelledEnding);
  return (await bare.local.fetch())?.id ?? "";
}

async function failed(task = payload("x.md")): Promise<string> {
  await enqueueOne(task);
  const id = await run();
  await bare.local.fail(id, new Error("no"), { ...ENDING, result: "failed" });
  return id;
}

const shown = async () =>
  (await bare.index.list(TASK_STATES)).map(({ id, task, state }) => `${id} ${task.name} ${state}`);

describe("a task that is put back has its id", () => {
  test("after it failed, and its earlier job is gone", async () => {
    const id = await failed();
    expect(await enqueueOne({ ...payload("x.md"), earlierRuns: 1 }, id)).toEqual({ id, state: "new" });
    expect(await shown()).toEqual([`${id} x.md waiting`]);
  });

  test("as often as that happens, and runs each time", async () => {
    const id = await failed();
    for (let runs = 1; runs <= 3; runs += 1) {
      expect(await enqueueOne({ ...payload("x.md"), earlierRuns: runs }, id)).toEqual({ id, state: "new" });
      expect(await run()).toBe(id);
      expect(await shown()).toEqual([`${id} x.md running`]);
      await bare.local.complete(id, { ...ENDING, result: "done" });
    }
    expect(await shown()).toEqual([`${id} x.md done`]);
  });

  test("under the name that its file got when it failed", async () => {
    await enqueueOne(payload("x.md"));
    const id = await run();
    const path = ENDING.path.replace("x.md", "x-2.md");
    await bare.local.fail(id, new Error("no"), { ...ENDING, path, result: "failed" });
    expect(await enqueueOne(payload("x-2.md"), id)).toEqual({ id, state: "new" });
    expect(await shown()).toEqual([`${id} x-2.md waiting`]);
  });

  test("when it was out before", async () => {
    await enqueueOne(payload("x.md"));
    const job = await bare.inbox.fetch();
    const id = job?.id ?? "";
    await bare.queues.toDelegated([{ id, payload: delegatedTask(payload("x.md")) }]);
    await bare.inbox.complete(id, cancelledEnding);
    await bare.delegated.fetch();
    await bare.delegated.fail(id, new Error("no"), { ...ENDING, result: "failed" });
    expect(await enqueueOne(payload("x.md"), id)).toEqual({ id, state: "new" });
    expect(await shown()).toEqual([`${id} x.md waiting`]);
    const earlierRuns = (await bare.inbox.fetch())?.payload.earlierRuns ?? 0;
    expect(earlierRuns).toBe(1);
    await bare.queues.toDelegated([{ id, payload: { ...delegatedTask(payload("x.md")), earlierRuns } }]);
    expect((await bare.delegated.fetch())?.id).toBe(id);
  });

  test("when nothing is known of it any more", async () => {
    expect(await enqueueOne(payload("x.md"), ID)).toEqual({ id: ID, state: "new" });
    expect(await run()).toBe(ID);
  });
});

describe("it has a new one", () => {
  test("while another task has it that waits", async () => {
    const { id } = await enqueueOne(payload("x.md"));
    const copy = await enqueueOne(payload("copy.md"), id);
    expect(copy.state).toBe("new");
    expect(copy.id).not.toBe(id);
    expect(await shown()).toEqual([`${id} x.md waiting`, `${copy.id} copy.md waiting`]);
  });

  test("while another task has it that runs, which goes on", async () => {
    await enqueueOne(payload("x.md"));
    const id = await run();
    const copy = await enqueueOne(payload("copy.md"), id);
    expect(copy.id).not.toBe(id);
    expect(await shown()).toEqual([`${id} x.md running`, `${copy.id} copy.md waiting`]);
    await bare.local.complete(id, { ...ENDING, result: "done" });
    expect(bare.errors).toEqual([]);
  });

  test("while another task has it that is out", async () => {
    await enqueueOne(payload("x.md"));
    const id = (await bare.inbox.fetch())?.id ?? "";
    await bare.queues.toDelegated([{ id, payload: delegatedTask(payload("x.md")) }]);
    await bare.inbox.complete(id, cancelledEnding);
    await bare.delegated.fetch();
    expect((await enqueueOne(payload("copy.md"), id)).id).not.toBe(id);
    expect(await bare.delegated.activeCount()).toBe(1);
  });

  test("where it is that of another project's task, which stays as it is", async () => {
    const id = await failed();
    const other = await enqueueOne(payload("x.md", {}, "/srv/beta"), id);
    expect(other.state).toBe("new");
    expect(other.id).not.toBe(id);
    expect(await shown()).toEqual([`${other.id} x.md waiting`, `${id} x.md failed`]);
  });

  test("where what has it cannot be read", async () => {
    const id = await failed();
    await bare.redis.hset(`{ccl-queue:w}:local:${id}`, "data", '{"a":1}');
    expect((await enqueueOne(payload("x.md"), id)).id).not.toBe(id);
    expect(await bare.redis.exists(`{ccl-queue:w}:local:${id}`)).toBe(1);
  });

  test("where another one of the same batch has it: the first keeps it", async () => {
    const id = await failed();
    const [one, two, three] = await enqueue([payload("x.md"), id], [payload("b.md"), id], [payload("c.md"), id]);
    expect(one).toEqual({ id, state: "new" });
    expect([two?.state, three?.state]).toEqual(["new", "new"]);
    expect(new Set([one?.id, two?.id, three?.id]).size).toBe(3);
    expect(await bare.index.list(["waiting"])).toHaveLength(3);
  });
});

describe("a file that has a job", () => {
  test("keeps that one's id, whatever its footer says, and what is over stays as it is", async () => {
    const old = await failed(payload("old.md"));
    const { id } = await enqueueOne(payload("x.md"));
    expect(await enqueueOne(payload("x.md"), old)).toEqual({ id, state: "known" });
    expect(await enqueueOne({ ...payload("x.md"), fingerprint: "new" }, old)).toEqual({ id, state: "updated" });
    expect(await shown()).toEqual([`${id} x.md waiting`, `${old} old.md failed`]);
  });

  test("keeps it in the local queue, too", async () => {
    const old = await failed(payload("old.md"));
    await enqueueOne(payload("x.md"));
    const id = await run();
    expect(await enqueueOne({ ...payload("x.md"), fingerprint: "new" }, old)).toEqual({ id, state: "busy" });
    expect(await shown()).toEqual([`${id} x.md running`, `${old} old.md failed`]);
  });

  test("is one task when it is handed in twice in a batch", async () => {
    const [one, two] = await enqueue([payload("x.md"), ID], [payload("x.md"), ID]);
    expect(one).toEqual({ id: ID, state: "new" });
    expect(two).toEqual({ id: ID, state: "known" });
    expect(await shown()).toEqual([`${ID} x.md waiting`]);
  });
});

describe("how many runs a task has had", () => {
  const runs = async () => await bare.queues.runsOf(payload("x.md"));

  test("is not known of one that nobody handed in, or that is over", async () => {
    expect(await runs()).toBeNull();
    await failed();
    expect(await runs()).toBeNull();
  });

  test("is what it had before and what it has had since", async () => {
    const { id } = await enqueueOne({ ...payload("x.md"), earlierRuns: 2 }, ID);
    expect(await runs()).toEqual({ id, runs: 2 });
    await run();
    expect(await runs()).toEqual({ id, runs: 3 });
    await bare.local.putBack(id);
    expect(await runs()).toEqual({ id, runs: 3 });
    await bare.local.fetch();
    expect(await runs()).toEqual({ id, runs: 4 });
  });

  test("is never less after an edit that has it routed anew", async () => {
    const { id } = await enqueueOne({ ...payload("x.md"), earlierRuns: 2 }, ID);
    await run();
    await bare.local.putBack(id);
    const edited = { ...payload("x.md", { priority: "critical" }), fingerprint: "new" };
    expect(await enqueueOne(edited)).toEqual({ id, state: "updated" });
    expect((await runs())?.runs).toBeGreaterThanOrEqual(3);
    await run();
    expect((await runs())?.runs).toBeGreaterThanOrEqual(4);
  });
});
