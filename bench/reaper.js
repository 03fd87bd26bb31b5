import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";
import { figuresOf } from "./figures.js";
import { openDelegated } from "./queue/delegated.js";
import { inTurns } from "./queue/in-turns.js";
import { openRedis } from "./queue/redis.js";
import { openSandbox } from "./sandbox.js";

const SIZES = { whole: { rounds: 7, jobs: 1_000 }, smoke: { rounds: 1, jobs: 50 } };
const LIMIT = 1.3;
const CONCURRENCY = 20;
const PLATFORM = fileURLToPath(new URL("../demo/secutools.js", import.meta.url));
/** None is finished while it is measured. */
const JOB_MS = 24 * 60 * 60_000;

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "reaper",
  title: "One tick of the reaper over 1,000 tasks that are out",
  against: "the same GETs by a bare undici Pool, as many at once",
  run,
};

/** @param {import("./benchmark.js").BenchmarkOptions} options */
async function run({ size, signal }) {
  const { rounds, jobs } = SIZES[size];
  const sandbox = openSandbox();
  /** @type {(() => Promise<unknown>)[]} */
  const closers = [sandbox.close];
  try {
    const redis = await openRedis(sandbox);
    closers.push(redis.close);
    const platform = await startPlatform(sandbox);
    closers.push(platform.stop);
    const { socket } = redis;
    const delegated = await openDelegated({
      ...{ dir: sandbox.dir, socket, platform, jobs, signal },
      concurrency: CONCURRENCY,
    });
    closers.push(delegated.close);
    const pool = new Pool(platform.url, { connections: CONCURRENCY, pipelining: 1 });
    closers.push(async () => await pool.destroy());
    const times = await inTurns(rounds, {
      ours: async () => await msOf(delegated.tick),
      theirs: async () => await msOf(async () => await getAll(pool, platform.key, delegated.remotes)),
    });
    return resultOf(times);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** @param {Record<"ours" | "theirs", number[]>} times @returns {import("./benchmark.js").Result} */
function resultOf({ ours, theirs }) {
  const ratio = figuresOf(ours).median / figuresOf(theirs).median;
  return {
    unit: "ms",
    ours,
    theirs,
    bounds: [{ what: "against theirs", value: ratio, is: "at most", limit: LIMIT, unit: "x" }],
    notes: [
      `The platform is the stand-in, in a process of its own, which answers at once; ${CONCURRENCY} requests are under way.`,
      "The tick also reads the jobs from Redis, and looks at each task's file and its marker; nothing is finished yet.",
    ],
  };
}

/** The stand-in for the platform. @param {import("./sandbox.js").Sandbox} sandbox */
async function startPlatform({ env }) {
  const args = ["--port", "0", "--key", "key-1", "--delay", String(JOB_MS)];
  // Detached: a Ctrl-C is for the benchmark; without us, it ends by itself.
  const platform = fork(PLATFORM, args, { env, detached: true, silent: true });
  const exited = once(platform, "exit");
  const [{ url, key }] = await once(platform, "message");
  return {
    url: String(url),
    key: String(key),
    stop: async () => {
      platform.disconnect();
      await exited;
    },
  };
}

/** @param {Pool} pool @param {string} key @param {readonly string[]} ids */
async function getAll(pool, key, ids) {
  const headers = { accept: "application/json", authorization: `Bearer ${key}` };
  const left = ids.values();
  const askInTurn = async () => {
    for (const id of left) {
      const { body } = await pool.request({ method: "GET", path: `/api/v1/jobs/${id}`, headers });
      await body.json();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, askInTurn));
}

/** @param {() => Promise<void>} act */
async function msOf(act) {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}
