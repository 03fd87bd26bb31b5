import { Queue, Worker } from "bullmq";
import { figuresOf } from "./figures.js";
import { fromSource } from "./queue/from-source.js";
import { inTurns } from "./queue/in-turns.js";
import { inBatches, payloadOf } from "./queue/payloads.js";
import { connectTo, openRedis } from "./queue/redis.js";
import { until } from "./queue/until.js";
import { openSandbox } from "./sandbox.js";

const SIZES = { whole: { rounds: 5, jobs: 2_000 }, smoke: { rounds: 1, jobs: 200 } };
const LIMIT_PERCENT = 70;
const BATCH = 200;
const WORKSPACE = "bench";
/** As src/queue/processor.ts has them. */
const WORKER = { concurrency: 1, lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 1_000_000 };

/**
 * @typedef {Awaited<ReturnType<typeof loadParts>>} Parts
 * @typedef {{ parts: Parts, redis: import("./queue/redis.js").PrivateRedis, jobs: number, signal: AbortSignal }} Setting
 * @typedef {(setting: Setting, onJob: () => void) => Promise<() => Promise<void>>} Way works off the inbox queue and
 *   tells of each job that was dealt with; what it returns ends it
 */

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "routing",
  title: "Tasks routed from the inbox queue to the local queue",
  against: "a BullMQ worker on the same queue, with the same concurrency (1), that does nothing",
  run,
};

/** @param {import("./benchmark.js").BenchmarkOptions} options */
async function run({ size, signal }) {
  const { rounds, jobs } = SIZES[size];
  const sandbox = openSandbox();
  const closers = [sandbox.close];
  try {
    const parts = await loadParts();
    const redis = await openRedis(sandbox);
    closers.push(redis.close);
    const rate = (/** @type {Way} */ way) => async () => await rateOf({ parts, redis, jobs, signal }, way);
    return resultOf(await inTurns(rounds, { ours: rate(route), theirs: rate(doNothing), adds: rate(addOnly) }));
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** @param {Record<"ours" | "theirs" | "adds", number[]>} rates @returns {import("./benchmark.js").Result} */
function resultOf({ ours, theirs, adds }) {
  const [routed, nothing, added] = [ours, theirs, adds].map((rates) => figuresOf(rates).median);
  const percent = (100 * Number(routed)) / Number(nothing);
  const addPercent = (100 * Number(added)) / Number(nothing);
  return {
    unit: "tasks/s",
    ours,
    theirs,
    bounds: [{ what: "against theirs", value: percent, is: "at least", limit: LIMIT_PERCENT, unit: "%" }],
    notes: [
      `A round is ${SIZES.whole.jobs} tasks, which keep their order: a job is taken from one queue, and another is added to the next, up to fifty at once, as in the daemon.`,
      `A BullMQ worker whose processor does nothing but one bare queue.add of the same payload does ${Math.round(Number(added))} tasks/s, which is ${addPercent.toFixed(0)} % of theirs.`,
    ],
  };
}

async function loadParts() {
  const load = await fromSource("routing", [
    "workers/routing-worker",
    "queue/task-queues",
    "core/events",
    "queue/names",
  ]);
  const { routingWorker } = /** @type {typeof import("../src/workers/routing-worker.ts")} */ (
    await load("workers/routing-worker")
  );
  const { TaskQueues } = /** @type {typeof import("../src/queue/task-queues.ts")} */ (await load("queue/task-queues"));
  const { TaskEvents } = /** @type {typeof import("../src/core/events.ts")} */ (await load("core/events"));
  const { INBOX_QUEUE, LOCAL_QUEUE, keyPrefix } = /** @type {typeof import("../src/queue/names.ts")} */ (
    await load("queue/names")
  );
  return { routingWorker, TaskQueues, TaskEvents, INBOX_QUEUE, LOCAL_QUEUE, prefix: keyPrefix(WORKSPACE) };
}

/** Jobs in a second, from the worker's start until the last is dealt with. @param {Setting} setting @param {Way} way */
async function rateOf(setting, way) {
  const { redis, jobs, signal } = setting;
  await redis.client.flushall();
  await fillInbox(setting);
  let done = 0;
  let endedMs = 0;
  const startedMs = performance.now();
  const end = await way(setting, () => {
    done += 1;
    if (done === jobs) endedMs = performance.now();
  });
  try {
    await until("all tasks are dealt with", () => done >= jobs, signal);
  } finally {
    await end();
  }
  return (1_000 * jobs) / (endedMs - startedMs);
}

/** @param {Setting} setting */
async function fillInbox({ parts, redis, jobs }) {
  const queues = await openQueues(parts, redis.socket);
  const entries = Array.from({ length: jobs }, (_, number) => ({ payload: payloadOf(number), id: null }));
  for (const batch of inBatches(entries, BATCH)) await queues.enqueue(batch);
  await queues.stop();
}

/** @param {Parts} parts @param {string} socket */
async function openQueues({ TaskQueues }, socket) {
  const queues = new TaskQueues({ address: { socket }, workspace: WORKSPACE, retentionMs: 3_600_000, onError: warn });
  await queues.start();
  return queues;
}

/** @type {Way} */
async function route({ parts, redis: { socket } }, onJob) {
  const queues = await openQueues(parts, socket);
  const events = new parts.TaskEvents();
  events.on(({ type }) => type === "routed" && onJob());
  const shared = { address: { socket }, workspace: WORKSPACE, onError: warn };
  const worker = parts.routingWorker({ ...shared, queues, delegation: null, events });
  await worker.start();
  return async () => {
    await worker.stop();
    await queues.stop();
  };
}

/** @type {Way} */
async function doNothing({ parts, redis }, onJob) {
  return await work(parts, redis.socket, async () => onJob());
}

/** @type {Way} */
async function addOnly({ parts, redis }, onJob) {
  const connection = connectTo(redis.socket);
  const local = new Queue(parts.LOCAL_QUEUE, { connection, prefix: parts.prefix });
  await local.waitUntilReady();
  const end = await work(parts, redis.socket, async ({ name, data }) => {
    await local.add(name, data);
    onJob();
  });
  return async () => {
    await end();
    await local.close();
    connection.disconnect();
  };
}

/** @param {Parts} parts @param {string} socket @param {import("bullmq").Processor} processor */
async function work({ INBOX_QUEUE, prefix }, socket, processor) {
  const connection = connectTo(socket);
  const worker = new Worker(INBOX_QUEUE, processor, { connection, prefix, ...WORKER });
  await worker.waitUntilReady();
  return async () => {
    await worker.close();
    connection.disconnect();
  };
}

/** @param {unknown} error */
function warn(error) {
  console.error(error);
}
