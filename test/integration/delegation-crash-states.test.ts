import { link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Job, Queue } from "bullmq";
import { afterEach, describe, expect, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { type Marker, readMarker } from "../../src/ledger/marker.ts";
import { shelveText } from "../../src/ledger/shelve.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { type Delegation, delegable, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
afterEach(async () => await delegation.stop());

const inInbox = (name: string) => join(delegation.queue.project, ".agent-queue", "inbox", name);
const theTask = () => ({ project: delegation.queue.project, name: "x.md" });

async function withJobs<T>(use: (queue: Queue) => Promise<T>): Promise<T> {
  return await delegation.withRedis(async (connection) => {
    const queue = new Queue("delegated", { connection, prefix: "{ccl-queue:default}" });
    try {
      return await use(queue);
    } finally {
      await queue.close();
    }
  });
}

/** A daemon that went away while x.md was out. Returns the marker. */
async function leaveOut(): Promise<Marker> {
  delegation = await startDelegation({ platform: { delayMs: 0 } });
  const { queue, gate } = delegation;
  gate.hold("GET", "answer");
  await queue.drop("x.md", delegable("Do it."));
  await until("it is asked about", () => gate.held() === 1);
  const marker = await readMarker(theTask());
  if (marker === null) throw new Error("there is no marker");
  await queue.app.stop();
  gate.release();
  return marker;
}

/** Changes the job in the Redis of a daemon that went away. */
async function changeJob({ job }: Marker, change: (record: Job) => Promise<unknown>): Promise<void> {
  const { config, environment } = delegation.queue;
  const redis = new EmbeddedRedis(config.stateDir, childEnvironment(environment));
  await redis.start();
  await withJobs(async (jobs) => {
    const record: Job | undefined = await jobs.getJob(job);
    if (record === undefined) throw new Error("there is no job");
    await change(record);
  });
  await redis.stop();
}

/** The result is in done/ already. */
async function shelve({ job, attempt, text }: Marker): Promise<void> {
  await shelveText(theTask(), "done", text, { result: "done", finishedAt: new Date(), run: `${job}-${attempt}` });
}

/** The task is done, once, and nothing else is left of it. */
async function expectDoneOnce(): Promise<void> {
  const { queue, platform } = delegation;
  await queue.app.start();
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  await until("its job is over", async () => (await withJobs(async (jobs) => await jobs.getCompletedCount())) === 1);
  expect(await queue.names("done")).toEqual(["x.md"]);
  expect(await queue.names("failed")).toEqual([]);
  expect(delegation.events("cancelled")).toEqual([]);
  expect(delegation.events("delegated").length).toBeLessThanOrEqual(1);
  const { accepted, duplicates, replays } = platform.stats();
  expect({ accepted, duplicates, replays }).toEqual({ accepted: 1, duplicates: 0, replays: 0 });
}

describe("the next start makes good what a crash left", () => {
  test("when the marker was written and the job does not know", async () => {
    await changeJob(await leaveOut(), async (job) => await job.updateData({ ...job.data, remote: null }));
    await expectDoneOnce();
  });

  test("when done/ was written, and its draft, the file and the marker are still there", async () => {
    const marker = await leaveOut();
    await shelve(marker);
    const done = join(delegation.queue.project, ".agent-queue", "done");
    await link(join(done, "x.md"), join(done, `.${marker.job}-1.draft`));
    await expectDoneOnce();
  });

  test("the same, and the platform has forgotten the job since", async () => {
    await shelve(await leaveOut());
    const { gate, queue } = delegation;
    gate.forget();
    await expectDoneOnce();
    expect(await queue.read("done", "x.md")).toContain("| ccl-queue | done |");
  });

  test("when the file was claimed to be removed", async () => {
    await shelve(await leaveOut());
    await rename(inInbox("x.md"), inInbox("x.md.dispatched"));
    await expectDoneOnce();
  });

  test("when the file was removed, and the marker is still there", async () => {
    await shelve(await leaveOut());
    await rm(inInbox("x.md"));
    await expectDoneOnce();
  });

  test("when only the job was not told", async () => {
    await shelve(await leaveOut());
    await Promise.all([rm(inInbox("x.md")), rm(inInbox("x.md.delegated"))]);
    await expectDoneOnce();
  });

  test("the same after so long that the job waits again", async () => {
    const marker = await leaveOut();
    await shelve(marker);
    await Promise.all([rm(inInbox("x.md")), rm(inInbox("x.md.delegated"))]);
    await changeJob(marker, async (job) => await job.moveToWait("secutools"));
    await expectDoneOnce();
  });

  test("when it is out, and its job waits again", async () => {
    await changeJob(await leaveOut(), async (job) => await job.moveToWait("secutools"));
    await expectDoneOnce();
  });
});

test("a file that was saved anew at the same moment stays, and is the next task", async () => {
  await shelve(await leaveOut());
  const { queue } = delegation;
  await link(inInbox("x.md"), join(queue.dir, "kept"));
  await queue.drop("x.md", "The next task.\n");
  await queue.app.start();
  expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.read("done", "x.md")).toContain("Do it.");
  expect(await queue.read("done", "x-2.md")).toContain("The next task.");
});

test("a job in Redis that nobody can read is reported, and keeps no other from coming home", async () => {
  await changeJob(await leaveOut(), async (job) => await job.updateData({ not: "a task" }));
  const { queue } = delegation;
  await queue.app.start();
  await queue.drop("other.md", delegable("Do it too."));
  expect(await queue.settled("done", 1)).toEqual(["other.md"]);
  expect(delegation.errorCodes()).toContain("PAYLOAD_INVALID");
  await until("its marker goes", async () => (await delegation.markers()).join() === "x.md.delegated");
  expect(await queue.names("inbox")).toEqual(["x.md", "x.md.delegated"]);
});
