import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openCountedTmux } from "./queue/counted-tmux.js";
import { inboxOf, startDaemon } from "./queue/daemon.js";
import { writeDrafts } from "./queue/drafts.js";
import { cpuMsOf, rssMbOf } from "./queue/process.js";
import { connectTo } from "./queue/redis.js";
import { until } from "./queue/until.js";
import { openSandbox } from "./sandbox.js";

/**
 * A whole look covers one sweep, which comes every minute. It begins when V8 has given back what the start and the drop
 * have taken, which it does within a minute of idling.
 */
const SIZES = {
  whole: { projects: 200, sessions: 20, each: 5, settleMs: 55_000, lookMs: 60_000 },
  smoke: { projects: 10, sessions: 2, each: 2, settleMs: 0, lookMs: 5_000 },
};
const LIMITS = { corePercent: 1, rssMb: 120, commands: 20, spawns: 2 };
const TOP = 6;

/**
 * @typedef {typeof SIZES["whole"]} Size
 * @typedef {{ cpuMs: number, commands: number, byName: Map<string, number>, spawns: number }} Counts
 */

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "idle",
  title: "What the daemon takes while it has nothing to do",
  against: "nothing: bounds alone",
  run,
};

/** @param {import("./benchmark.js").BenchmarkOptions} options */
async function run({ size: name, signal }) {
  const size = SIZES[name];
  const sandbox = openSandbox();
  const closers = [sandbox.close];
  try {
    const { dir } = sandbox;
    const moveIn = projectsOf(dir, size);
    const tmux = openCountedTmux(sandbox);
    const settings = { pool: { autonomous: { min: size.sessions, max: size.sessions } } };
    const daemon = await startDaemon(sandbox, { dir, settings, environment: tmux.environment, signal });
    closers.push(daemon.stop);
    const redis = connectTo(join(dir, "state", "redis.sock"));
    closers.push(async () => redis.disconnect());
    // Held, so that nothing runs.
    await daemon.ask("/api/hold", "POST");
    for (const move of moveIn) move();
    await untilAllWait(daemon, size, signal);
    await sleep(size.settleMs, undefined, { signal });
    const count = async () => await countsOf(daemon.pid, redis, tmux.count);
    const before = await count();
    const startedMs = performance.now();
    await sleep(size.lookMs, undefined, { signal });
    const seconds = (performance.now() - startedMs) / 1_000;
    return resultOf(size, before, { ...(await count()), seconds, rssMb: rssMbOf(daemon.pid) });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Makes the projects, and returns what drops each one's tasks. @param {string} dir @param {Size} size */
function projectsOf(dir, { projects, each }) {
  return Array.from({ length: projects }, (_, number) => writeDrafts(inboxOf(dir, `project-${number}`), each));
}

/** @param {import("./queue/daemon.js").Daemon} daemon @param {Size} size @param {AbortSignal} signal */
async function untilAllWait(daemon, { projects, sessions, each }, signal) {
  const isSo = async () => {
    const { queues, sessions: there } = JSON.parse(await daemon.ask("/api/status"));
    const idle = there.filter((/** @type {{ state: string }} */ { state }) => state === "idle");
    const isRouted = queues.inbox.waiting + queues.inbox.active === 0;
    return isRouted && queues.local.waiting === projects * each && idle.length === sessions;
  };
  await until("all tasks wait, and all sessions are idle", isSo, signal);
}

/**
 * @param {number} pid @param {import("ioredis").Redis} redis @param {() => number} spawnsSoFar
 * @returns {Promise<Counts>}
 */
async function countsOf(pid, redis, spawnsSoFar) {
  const info = await redis.info("everything");
  const [, total] = /^total_commands_processed:(\d+)/m.exec(info) ?? [];
  const stats = info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  const byName = new Map(Array.from(stats, ([, name, calls]) => [String(name), Number(calls)]));
  return { cpuMs: cpuMsOf(pid), commands: Number(total), byName, spawns: spawnsSoFar() };
}

/**
 * @param {Size} size @param {Counts} before
 * @param {Counts & { seconds: number, rssMb: number }} after
 * @returns {import("./benchmark.js").Result}
 */
function resultOf({ projects, sessions, each, settleMs }, before, { seconds, rssMb, ...after }) {
  const corePercent = (after.cpuMs - before.cpuMs) / (10 * seconds);
  // One of them was ours: what counted them before.
  const commands = (after.commands - before.commands - 1) / seconds;
  const spawns = (after.spawns - before.spawns) / seconds;
  return {
    unit: "% of a core",
    ours: [corePercent],
    theirs: [],
    bounds: [
      { what: "processor", value: corePercent, is: "at most", limit: LIMITS.corePercent, unit: "% of a core" },
      { what: "memory", value: rssMb, is: "at most", limit: LIMITS.rssMb, unit: "MB" },
      { what: "Redis commands", value: commands, is: "at most", limit: LIMITS.commands, unit: "a second" },
      { what: "starts of tmux", value: spawns, is: "at most", limit: LIMITS.spawns, unit: "a second" },
    ],
    notes: [
      `${projects} projects, ${sessions} idle sessions and ${projects * each} tasks that wait, as the pool is held, for ${Math.round(seconds)} s with one sweep in it, after ${Math.round(settleMs / 1_000)} s without anything to do.`,
      "The processor's time is the daemon's own, without its Redis and tmux; Redis also counts what scripts call in it.",
      `Most frequent commands, in a second: ${mostFrequent(before.byName, after.byName, seconds)}.`,
    ],
  };
}

/** @param {Map<string, number>} before @param {Map<string, number>} after @param {number} seconds */
function mostFrequent(before, after, seconds) {
  const calls = [...after].map(([name, count]) => ({ name, count: count - (before.get(name) ?? 0) }));
  const first = calls.toSorted((a, b) => b.count - a.count).slice(0, TOP);
  return first.map(({ name, count }) => `${name} ${(count / seconds).toFixed(1)}`).join(", ");
}
