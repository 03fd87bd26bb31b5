import { openQueue } from "./agents/queue.js";
import { agentOf, timesOf, untilEnded } from "./agents/stamps.js";
import { figuresOf } from "./figures.js";

const SIZES = {
  whole: { pools: [10, 50, 100], rounds: 5, reads: 20 },
  smoke: { pools: [2, 4], rounds: 1, reads: 2 },
};
const READ_LIMIT = 12;
const LAUNCH_LIMIT = 3;
/** Less cannot be told. */
const CPU_TICK_MS = 10;
const HABITS = /** @type {const} */ ({ after: "ends", startS: 0, workS: 0 });

/** @typedef {Awaited<ReturnType<typeof openPool>>} Pool */

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "pool-sizes",
  title: "from a drop to the agent's launch in a pool of 100 sessions, and what it costs to read the pool",
  against: "the same in a pool of 10 sessions",
  async run({ size, signal }) {
    const { pools: sizes, rounds, reads } = SIZES[size];
    /** @type {Pool[]} */
    const pools = [];
    try {
      for (const sessions of sizes) pools.push(await openPool(sessions, signal));
      for (const pool of pools) await pool.warmUp(reads);
      for (let round = 0; round < rounds; round += 1) for (const pool of pools) await pool.measure(reads);
      return resultOf(pools);
    } finally {
      for (const pool of pools) await pool.close();
    }
  },
};

/** @param {number} sessions @param {AbortSignal} signal */
async function openPool(sessions, signal) {
  const queue = await openQueue({ sessions, agent: (log) => agentOf(log, HABITS), signal });
  /** @type {number[]} */ const launchMs = [];
  /** @type {number[]} */ const readMs = [];
  let dropped = 0;
  let cpuMs = 0;

  async function launch() {
    const droppedMs = queue.drop([{ name: `task-${dropped}` }]);
    dropped += 1;
    const stamps = await untilEnded(queue.log, dropped, signal);
    await queue.rest();
    return (timesOf(stamps, "start").at(-1) ?? Number.NaN) - droppedMs;
  }

  async function read() {
    const startedMs = performance.now();
    await queue.get("/api/sessions");
    return performance.now() - startedMs;
  }

  return {
    sessions,
    launchMs,
    readMs,
    close: queue.close,
    /** The daemon's, of one read. */
    readCpuMs: () => Math.max(cpuMs, CPU_TICK_MS) / readMs.length,
    /** @param {number} reads */
    async warmUp(reads) {
      await launch();
      for (let times = 0; times < reads; times += 1) await read();
    },
    /** @param {number} reads */
    async measure(reads) {
      launchMs.push(await launch());
      const beforeMs = queue.cpuMs();
      for (let times = 0; times < reads; times += 1) readMs.push(await read());
      cpuMs += queue.cpuMs() - beforeMs;
    },
  };
}

/** @param {readonly Pool[]} pools from the smallest to the largest @returns {import("./benchmark.js").Result} */
function resultOf(pools) {
  const measures = {
    wall: (/** @type {Pool} */ pool) => figuresOf(pool.readMs).median,
    cpu: (/** @type {Pool} */ pool) => pool.readCpuMs(),
    launch: (/** @type {Pool} */ pool) => figuresOf(pool.launchMs).median,
  };
  /** @param {(pool: Pool) => number} measure */
  const points = (measure) => pools.map((pool) => /** @type {const} */ ([pool.sessions, measure(pool)]));
  /** How many times the smallest pool's is the largest's. @param {(pool: Pool) => number} measure */
  const growth = (measure) => Math.max(...pools.slice(-1).map(measure)) / Math.max(...pools.slice(0, 1).map(measure));
  /** @param {string} what @param {number} value @param {number} limit */
  const bound = (what, value, limit) => /** @type {const} */ ({ what, value, is: "at most", limit, unit: "x" });
  return {
    unit: "ms",
    ours: pools.at(-1)?.launchMs ?? [],
    theirs: pools[0]?.launchMs ?? [],
    bounds: [
      bound("a read with 100 sessions against one with 10", growth(measures.wall), READ_LIMIT),
      bound("the daemon's time for a read, the same", growth(measures.cpu), READ_LIMIT),
      bound("a launch, the same", growth(measures.launch), LAUNCH_LIMIT),
    ],
    notes: pools.map((pool) => tell(pool.sessions, measures.wall(pool), measures.cpu(pool), measures.launch(pool))),
    curves: [
      { label: "GET /api/sessions", x: "sessions", y: "ms", points: points(measures.wall) },
      { label: "the daemon's time for it", x: "sessions", y: "ms", points: points(measures.cpu) },
      { label: "from a drop to the launch", x: "sessions", y: "ms", points: points(measures.launch) },
    ],
  };
}

/** @param {number} sessions @param {number} wallMs @param {number} cpuMs @param {number} launchMs */
function tell(sessions, wallMs, cpuMs, launchMs) {
  return `${sessions} sessions: GET /api/sessions takes ${wallMs.toFixed(1)} ms, of which the daemon works ${cpuMs.toFixed(1)} ms; a launch takes ${launchMs.toFixed(0)} ms.`;
}
