import { link, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Job, Queue } from "bullmq";
import { afterEach, expect, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { cancelledFooter } from "../../src/ledger/cancellation.ts";
import { type Marker, readMarker } from "../../src/ledger/marker.ts";
import { shelveText } from "../../src/ledger/shelve.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { type Delegation, delegable, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
afterEach(async () => await delegation.stop());

const inInbox = (name: string) => join(delegation.queue.project, ".agent-queue", "inbox", name);
const inDone = (name: string) => join(delegation.queue.project, ".agent-queue", "done", name);

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

/** A daemon that went away while these tasks were out. */
async function leaveOut(...names: string[]): Promise<void> {
  delegation = await startDelegation({ platform: { delayMs: 0 } });
  const { queue, gate } = delegation;
  gate.hold("GET", "answer");
  for (const name of names) await queue.drop(name, delegable(`Do ${name}.`));
  await until("all are out", () => delegation.events("delegated").length === names.length);
  await until("some are asked about", () => gate.held() > 0);
  await queue.app.stop();
  gate.release();
}

async function markerOf(name: string): Promise<Marker> {
  const marker = await readMarker({ project: delegation.queue.project, name });
  if (marker === null) throw new Error(`${name} has no marker`);
  return marker;
}

/** Changes jobs in the Redis of a daemon that went away. */
async function changeJobs(change: (jobs: Queue) => Promise<void>): Promise<void> {
  const { config, environment } = delegation.queue;
  const redis = new EmbeddedRedis(config.stateDir, childEnvironment(environment));
  await redis.start();
  await withJobs(change);
  await redis.stop();
}

async function jobOf(jobs: Queue, { job }: Marker): Promise<Job> {
  const record: Job | undefined = await jobs.getJob(job);
  if (record === undefined) throw new Error(`there is no job ${job}`);
  return record;
}

/** The result is in done/ already. */
async function shelve(name: string): Promise<void> {
  const { job, attempt, text } = await markerOf(name);
  const task = { project: delegation.queue.project, name };
  await shelveText(task, "done", text, { result: "done", finishedAt: new Date(), run: `${job}-${attempt}` });
}

test("the next start makes good whatever a crash left, at any step: each task is done once", async () => {
  const steps = ["claimed", "forgotten", "gone", "job-waits", "out", "removed", "unknown", "untold", "written"];
  const names = steps.map((step) => `${step}.md`);
  await leaveOut(...names);
  const { queue, platform, gate } = delegation;
  const markers = new Map(await Promise.all(names.map(async (name) => [name, await markerOf(name)] as const)));
  const marker = (name: string) => markers.get(name) ?? expect.fail(`${name} has no marker`);
  for (const name of ["written.md", "forgotten.md", "claimed.md", "removed.md", "untold.md", "gone.md"])
    await shelve(name);
  // The platform no longer knows what it has told before.
  gate.forget(marker("forgotten.md").remoteId ?? "");
  await link(inDone("written.md"), inDone(`.${marker("written.md").job}-1.draft`));
  await rename(inInbox("claimed.md"), inInbox("claimed.md.dispatched"));
  for (const name of ["removed.md", "untold.md", "gone.md"]) await rm(inInbox(name));
  for (const name of ["untold.md", "gone.md"]) await rm(delegation.marker(name));
  await changeJobs(async (jobs) => {
    const unknown = await jobOf(jobs, marker("unknown.md"));
    await unknown.updateData({ ...unknown.data, remote: null });
    // As after so long a time that the queue takes its holder for dead.
    for (const name of ["gone.md", "job-waits.md"]) await (await jobOf(jobs, marker(name))).moveToWait("secutools");
  });

  await queue.app.start();
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  const over = async () => await withJobs(async (jobs) => await jobs.getCompletedCount());
  await until("their jobs are over", async () => (await over()) === names.length);
  expect(await queue.names("done")).toEqual(names);
  expect(await queue.names("failed")).toEqual([]);
  expect(delegation.events("cancelled")).toEqual([]);
  expect(delegation.events("delegated")).toHaveLength(names.length);
  const { accepted, duplicates, replays } = platform.stats();
  expect({ accepted, duplicates, replays }).toEqual({ accepted: names.length, duplicates: 0, replays: 0 });
  expect(queue.errors).toEqual([]);
});

test("a Redis that was set back, and knows an earlier job of the platform, learns of the one in the marker", async () => {
  await leaveOut("x.md");
  const { queue, platform } = delegation;
  const marker = await markerOf("x.md");
  await changeJobs(async (jobs) => {
    const job = await jobOf(jobs, marker);
    await job.updateData({ ...job.data, remote: { id: "the-one-before", submittedAtMs: Date.now() - 60_000 } });
  });
  await queue.app.start();
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
  expect(await queue.names("failed")).toEqual([]);
  expect(await queue.read("done", "x.md")).toContain(` (${marker.remoteId}) |`);
  expect(platform.stats().accepted).toBe(1);
});

test("a cancellation that a crash cut short is brought to its end, and told", { timeout: 60_000 }, async () => {
  await leaveOut("x.md");
  const { queue } = delegation;
  const { job, text } = await markerOf("x.md");
  const run = `${job}-1-cancelled-6b5c1f9e-6c0e-4c86-9a8e-0d6f3c1b2a47`;
  await writeFile(inInbox(".x.md.ending"), run);
  await shelveText({ project: queue.project, name: "x.md" }, "failed", text, cancelledFooter(run));
  await queue.app.start();
  await until("it is over", () => delegation.events("cancelled").length > 0, 40_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect([await queue.names("done"), await queue.names("failed")]).toEqual([[], ["x.md"]]);
  expect(queue.errors).toEqual([]);
});

test("a file that was saved anew at the same moment stays, and is the next task", async () => {
  await leaveOut("x.md");
  await shelve("x.md");
  const { queue } = delegation;
  // The old file is still somewhere: the new one cannot have its inode.
  await link(inInbox("x.md"), join(queue.dir, "kept"));
  await queue.drop("x.md", "The next task.\n");
  await queue.app.start();
  expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.read("done", "x.md")).toContain("Do x.md.");
  expect(await queue.read("done", "x-2.md")).toContain("The next task.");
});

test("a job in Redis that nobody can read is reported, and keeps no other from coming home", async () => {
  await leaveOut("x.md");
  const { queue } = delegation;
  const marker = await markerOf("x.md");
  await changeJobs(async (jobs) => await (await jobOf(jobs, marker)).updateData({ not: "a task" }));
  await queue.app.start();
  await queue.drop("other.md", delegable("Do it too."));
  expect(await queue.settled("done", 1)).toEqual(["other.md"]);
  expect(delegation.errorCodes()).toContain("PAYLOAD_INVALID");
  await until("nothing else is left", async () => (await queue.names("inbox")).join() === "x.md,x.md.delegated");
});
