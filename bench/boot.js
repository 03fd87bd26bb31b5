import { execFile } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { figuresOf } from "./figures.js";
import { inboxOf, startDaemon } from "./queue/daemon.js";
import { namesOf, writeDrafts } from "./queue/drafts.js";
import { inTurns } from "./queue/in-turns.js";
import { openRedis } from "./queue/redis.js";
import { until } from "./queue/until.js";
import { openSandbox } from "./sandbox.js";

const SIZES = { whole: { rounds: 5, files: 10_000 }, smoke: { rounds: 1, files: 200 } };
const LIMIT = 3;
const PASS = fileURLToPath(new URL("queue/pass.js", import.meta.url));
const KEYS = "bench:file:";
/** Without a session, nothing is run. */
const NO_SESSION = { autonomous: { min: 0, max: 1 } };

/** @typedef {{ sandbox: import("./sandbox.js").Sandbox, socket: string, signal: AbortSignal }} Setting */

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "boot",
  title: "What an inbox full of known files adds to the daemon's start",
  against: "one look at each file and one GET for each, by a process of its own",
  run,
};

/** @param {import("./benchmark.js").BenchmarkOptions} options */
async function run({ size, signal }) {
  const { rounds, files } = SIZES[size];
  const sandbox = openSandbox();
  const closers = [sandbox.close];
  try {
    const redis = await openRedis(sandbox);
    closers.push(redis.close);
    const setting = { sandbox, socket: redis.socket, signal };
    const full = join(sandbox.dir, "full");
    const empty = join(sandbox.dir, "empty");
    inboxOf(empty);
    await fill(setting, full, files);
    await redis.client.mset(namesOf(files).flatMap((name) => [KEYS + name, "id"]));
    let seen = 0;
    const start = async (/** @type {string} */ dir) => {
      const { startMs, stop, log } = await startIn(setting, dir);
      await stop();
      seen += log.read().step("seen").count;
      return startMs;
    };
    const pass = [PASS, inboxOf(full), redis.socket, KEYS];
    const times = await inTurns(rounds, {
      full: async () => await start(full),
      empty: async () => await start(empty),
      pass: async () => await msOfNode(pass, signal),
      node: async () => await msOfNode(["-e", "0"], signal),
    });
    return resultOf(times, { files, seen });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Hands in the files once, and routes them. @param {Setting} setting @param {string} dir @param {number} files */
async function fill(setting, dir, files) {
  const moveIn = writeDrafts(inboxOf(dir), files);
  const daemon = await startIn(setting, dir);
  try {
    moveIn();
    await until("all tasks are routed", () => daemon.log.read().step("routed").count >= files, setting.signal);
  } finally {
    await daemon.stop();
  }
}

/** @param {Setting} setting @param {string} dir each with queues of its own */
async function startIn({ sandbox, socket, signal }, dir) {
  const settings = { workspace: basename(dir), pool: NO_SESSION, redis: { url: socket } };
  return await startDaemon(sandbox, { dir, settings, signal });
}

/** @param {string[]} args @param {AbortSignal} signal */
async function msOfNode(args, signal) {
  const startedMs = performance.now();
  await promisify(execFile)(process.execPath, args, { signal });
  return performance.now() - startedMs;
}

/**
 * @param {Record<"full" | "empty" | "pass" | "node", number[]>} times
 * @param {{ files: number, seen: number }} counts
 * @returns {import("./benchmark.js").Result}
 */
function resultOf({ full, empty, pass, node }, { files, seen }) {
  const ours = full.map((ms, round) => ms - Number(empty[round]));
  const theirs = pass.map((ms, round) => ms - Number(node[round]));
  const [start, nothing] = [empty, node].map((samples) => Math.round(figuresOf(samples).median));
  return {
    unit: "ms",
    ours,
    theirs,
    bounds: [
      {
        what: "against theirs",
        value: figuresOf(ours).median / figuresOf(theirs).median,
        is: "at most",
        limit: LIMIT,
        unit: "x",
      },
      { what: "files enqueued again", value: seen, is: "at most", limit: 0, unit: "files" },
    ],
    notes: [
      `The inbox holds ${files} files, all of which have jobs; the start is over with its first sweep.`,
      `Taken off are ${start} ms for a start with an empty inbox here, and ${nothing} ms for \`node -e 0\` there.`,
      "The daemon reads no file that is as its job knows it; Redis compares the two.",
    ],
  };
}
