import { join } from "node:path";
import { Queue } from "bullmq";
import { figuresOf } from "./figures.js";
import { inboxOf, startDaemon } from "./queue/daemon.js";
import { writeDrafts } from "./queue/drafts.js";
import { inTurns } from "./queue/in-turns.js";
import { openLoop } from "./queue/loop.js";
import { inBatches, payloadOf } from "./queue/payloads.js";
import { connectTo, openRedis } from "./queue/redis.js";
import { until } from "./queue/until.js";
import { openSandbox } from "./sandbox.js";

const SIZES = { whole: { rounds: 5, files: 2_000, burst: 10_000 }, smoke: { rounds: 1, files: 100, burst: 300 } };
const LIMIT_PERCENT = 50;
const LIMIT_MS = 50;
const BATCH = 200;
/** Without a session, nothing is run. */
const NO_SESSION = { autonomous: { min: 0, max: 1 } };

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "burst",
  title: "Task files that are moved into an inbox at once, until all are in Redis",
  against: "BullMQ's addBulk of the same payloads, 200 at a time, on the same Redis",
  run,
};

/** @param {import("./benchmark.js").BenchmarkOptions} options */
async function run({ size, signal }) {
  const { rounds, files, burst } = SIZES[size];
  const sandbox = openSandbox();
  const closers = [sandbox.close];
  try {
    const redis = await openRedis(sandbox);
    closers.push(redis.close);
    const dir = join(sandbox.dir, "ours");
    const inboxes = Array.from({ length: rounds + 2 }, (_, number) => inboxOf(dir, `project-${number}`)).values();
    const loop = openLoop(sandbox.dir);
    const settings = { pool: NO_SESSION, redis: { url: redis.socket } };
    const daemon = await startDaemon(sandbox, { ...loop, dir, settings, signal });
    closers.push(daemon.stop);
    const rates = await inTurns(rounds, {
      ours: async () => await dropAtOnce({ daemon, inbox: next(inboxes), count: files, signal }),
      theirs: async () => await addInBulk(redis.socket, files),
    });
    await loop.longest(daemon.pid, signal);
    const rate = await dropAtOnce({ daemon, inbox: next(inboxes), count: burst, signal });
    return resultOf(rates, { burst, files, rate, ...(await loop.longest(daemon.pid, signal)) });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/**
 * @param {Record<"ours" | "theirs", number[]>} rates
 * @param {{ burst: number, files: number, rate: number, longestMs: number, ownMs: number }} loop
 * @returns {import("./benchmark.js").Result}
 */
function resultOf({ ours, theirs }, { burst, files, rate, longestMs, ownMs }) {
  const percent = (100 * figuresOf(ours).median) / figuresOf(theirs).median;
  return {
    unit: "tasks/s",
    ours,
    theirs,
    bounds: [
      { what: "against theirs", value: percent, is: "at least", limit: LIMIT_PERCENT, unit: "%" },
      { what: "longest turn of the event loop", value: longestMs, is: "at most", limit: LIMIT_MS, unit: "ms" },
    ],
    notes: [
      `A round is ${files} files; the event loop is looked at while ${burst} come at once, at ${Math.round(rate)} tasks/s.`,
      "The daemon also routes each task and writes its log and its journal meanwhile; addBulk adds bare jobs.",
      `Of the longest turn, the process itself worked ${ownMs.toFixed(0)} ms at most: the rest of the machine does not count there.`,
    ],
  };
}

/** @param {Iterator<string>} inboxes each is for one drop */
const next = (inboxes) => String(inboxes.next().value);

/**
 * Moves files in at once, and waits until the daemon has routed them too. Tasks in a second, from the first move until
 * the last was in Redis.
 * @param {{ daemon: import("./queue/daemon.js").Daemon, inbox: string, count: number, signal: AbortSignal }} drop
 */
async function dropAtOnce({ daemon, inbox, count, signal }) {
  const moveIn = writeDrafts(inbox, count);
  const before = daemon.log.read().step("seen").count;
  const droppedMs = moveIn();
  await until("all files are enqueued", () => daemon.log.read().step("seen").count >= before + count, signal);
  const { lastMs } = daemon.log.read().step("seen");
  const isRouted = () => daemon.log.read().step("routed").count >= before + count;
  await until("all tasks are routed", isRouted, signal);
  return (1_000 * count) / (lastMs - droppedMs);
}

/** @param {string} socket @param {number} count */
async function addInBulk(socket, count) {
  const connection = connectTo(socket);
  const queue = new Queue("bare", { connection });
  await queue.waitUntilReady();
  const jobs = Array.from({ length: count }, (_, number) => ({ name: "task", data: payloadOf(number) }));
  const startedMs = performance.now();
  for (const batch of inBatches(jobs, BATCH)) await queue.addBulk(batch);
  const ms = performance.now() - startedMs;
  await queue.obliterate();
  await queue.close();
  connection.disconnect();
  return (1_000 * count) / ms;
}
