import { setTimeout as sleep } from "node:timers/promises";
import { note } from "./jsonl.js";
import { countTasks } from "./places.js";

/**
 * A fault that was done.
 * @typedef {object} Injury
 * @property {string} fault
 * @property {number} at
 * @property {number} until when it was undone
 * @property {number} running tasks, at that moment
 * @property {number} waiting
 */

const PAUSE_MS = /** @type {const} */ ([300, 4_000]);

/**
 * Does harm at random until the signal aborts, several faults at a time where they do not meet, and undoes everything.
 * @param {import("./faults.js").Scene} scene
 * @param {readonly import("./faults.js").Fault[]} faults
 * @param {AbortSignal} signal
 */
export async function torment(scene, faults, signal) {
  const { world, random } = scene;
  /** @type {Injury[]} */
  const injuries = [];
  const locked = new Set();
  const going = new Set();

  /** @param {import("./faults.js").Fault} fault @param {import("./faults.js").Victim} victim */
  async function doHarm({ name, lastsMs: [min, max] }, { locks, harm }) {
    for (const lock of locks) locked.add(lock);
    try {
      const injury = { fault: name, at: Date.now(), until: 0, ...countTasks(world.places) };
      const undo = await harm();
      if (undo === null) return;
      await sleep(random.between(min, max), undefined, { signal }).catch(() => {});
      await undo();
      injury.until = Date.now();
      injuries.push(injury);
      note(world.places.logs.faults, injury);
    } finally {
      for (const lock of locks) locked.delete(lock);
    }
  }

  function next() {
    const fault = random.weighted(faults);
    const victims = fault?.victims(scene).filter(({ locks }) => !locks.some((lock) => locked.has(lock)));
    const victim = random.pick(victims ?? []);
    if (fault === undefined || victim === undefined) return;
    const harm = doHarm(fault, victim).finally(() => going.delete(harm));
    going.add(harm);
  }

  while (!signal.aborted) {
    next();
    await Promise.race([sleep(random.between(...PAUSE_MS), undefined, { signal }).catch(() => {}), failureOf(going)]);
  }
  await Promise.all(going);
  return injuries.sort((a, b) => a.at - b.at);
}

/** Rejects as soon as one does, and never resolves. @param {Set<Promise<void>>} promises @returns {Promise<never>} */
async function failureOf(promises) {
  await Promise.all(promises);
  return await new Promise(() => {});
}
