import { attemptsOf } from "./attempts.js";
import { openAuthor } from "./author.js";
import { findBreaches } from "./checker.js";
import { torment } from "./driver.js";
import { readEvidence } from "./evidence.js";
import { openJournal } from "./journal.js";
import { openRandom } from "./random.js";
import { untilQuiet } from "./settle.js";
import { rowsOf } from "./table.js";
import { ATTEMPTS, openWorld } from "./world.js";

/** So long everything may take to come to its end once nothing does harm any more. */
const SETTLE_MS = 5 * 60_000;
const SHORT_MINUTES = 2;

/**
 * @typedef {object} Result
 * @property {string} dir
 * @property {readonly import("./checker.js").Breach[]} breaches
 * @property {readonly import("./table.js").Row[]} rows
 * @property {Record<string, number>} counts
 * @property {readonly string[]} surprises what the daemons did that nobody asked for
 * @property {number} settledMs how long it took to come to its end, after the last fault
 * @property {() => void} remove removes the directory
 */

/**
 * Does harm to a queue of its own for so long, lets it come to its end and judges what became of its tasks.
 * Nothing but its directory is left. Rejects when the signal aborts, and then removes that too.
 * @param {import("./options.js").Options & { path: string }} options
 * @param {AbortSignal} interrupted
 * @returns {Promise<Result>}
 */
export async function runChaos({ minutes, seed, faults, ...options }, interrupted) {
  const world = await openWorld({ ...options, seed });
  const journal = openJournal(world.places.logs.author);
  const random = (/** @type {string} */ name) => openRandom(seed, name);
  try {
    await world.start();
    const harm = untilOver(minutes * 60_000, interrupted);
    const cancel = async (/** @type {string} */ project, /** @type {string} */ name) =>
      await world.hosts[0]?.command("cancel", `${project}/${name}`);
    const author = openAuthor({ places: world.places, journal, random: random("author"), cancel });
    const scene = { world, author, random: random("faults"), isShort: minutes < SHORT_MINUTES };
    const [injuries] = await Promise.all([torment(scene, faults, harm), author.work(harm)]);
    const mendedAt = Date.now();
    await untilQuiet(world, SETTLE_MS, interrupted);
    const settledMs = Date.now() - mendedAt;
    interrupted.throwIfAborted();
    const left = await endAll(world);
    const drops = journal.drops();
    const evidence = { ...readEvidence(world.places), ...left, drops, attempts: ATTEMPTS };
    const breaches = findBreaches(evidence);
    const byToken = new Map(drops.map((drop) => [drop.token, drop]));
    const attempts = attemptsOf(evidence.agents, evidence.lives, byToken);
    const acceptedAt = evidence.accepted.map(({ at }) => at);
    const inFolder = (/** @type {string} */ name) => evidence.files.filter(({ folder }) => folder === name).length;
    return {
      dir: world.places.dir,
      breaches,
      rows: rowsOf(injuries, { drops: byToken, attempts, acceptedAt }),
      counts: {
        ...{ tasks: drops.length, done: inFolder("done"), failed: inFolder("failed"), "left over": inFolder("inbox") },
        ...{ launches: attempts.length, "jobs of the platform": acceptedAt.length, faults: injuries.length },
      },
      surprises: world.hosts.flatMap(({ surprises }) => surprises),
      settledMs,
      remove: world.remove,
    };
  } catch (error) {
    await world.end();
    if (interrupted.aborted) world.remove();
    throw error;
  }
}

/** Aborts when the time is over, or the other signal does. @param {number} ms @param {AbortSignal} signal */
function untilOver(ms, signal) {
  const over = new AbortController();
  const end = () => {
    clearTimeout(timer);
    over.abort();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return over.signal;
}

/**
 * Stops the daemons as a person does. What is left then, but for the idle shells of the pool, should not be.
 * @param {import("./world.js").World} world
 */
async function endAll(world) {
  const sessions = await Promise.all(world.hosts.map(async (host) => await host.sessions()));
  const tagged = sessions.flat().flatMap(({ session, run }) => (run === "" ? [] : [`${session} (${run})`]));
  for (const host of world.hosts) await host.stop("SIGTERM");
  for (const host of world.hosts) await host.tmux("kill-server");
  if (!world.redis.isEmbedded) await world.redis.kill();
  const processes = await world.untilGone();
  await world.end();
  return { tagged, processes };
}
