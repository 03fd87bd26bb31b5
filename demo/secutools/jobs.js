import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { openDice } from "./chance.js";
import { readScript } from "./script.js";
import { isOver, statusOf } from "./work.js";

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {string} key of the submission
 * @property {import("./wire.js").Submission} submission
 * @property {import("./script.js").Script} script
 * @property {number} acceptedAt milliseconds since 1970
 * @property {number | null} cancelledAt when DELETE came
 * @property {number} delayMs
 *
 * @typedef {{ kind: "refused", status: number } | { kind: "unavailable" } | { kind: "limited" } | { kind: "conflict" }
 *   | { kind: "accepted", job: Job, isNew: boolean, isDropped: boolean }} Outcome
 */

/**
 * The platform's memory.
 * @param {import("./options.js").Settings} settings
 */
export function openJobs({ seed, minDelayMs, maxDelayMs, now }) {
  /** @type {Map<string, Job>} */
  const byKey = new Map();
  /** @type {Map<string, Job>} */
  const byId = new Map();
  /** How often each key was handed in. @type {Map<string, number>} */
  const tries = new Map();
  /** How many jobs with each key were forgotten to have it. @type {Map<string, number>} */
  const forgottenOf = new Map();
  const dice = openDice(seed, "delay");

  /**
   * @param {string} key
   * @param {import("./wire.js").Submission} submission
   * @param {import("./script.js").Script} script
   */
  function accept(key, submission, script) {
    const delayMs = script.delayMs ?? minDelayMs + Math.floor(dice() * (maxDelayMs - minDelayMs + 1));
    // An id that no other stand-in has given: after a restart, the jobs of the one before are unknown.
    const id = script.id ?? `job-${randomUUID()}`;
    /** @type {Job} */
    const job = { id, key, submission, script, acceptedAt: now(), cancelledAt: null, delayMs };
    const forgotten = forgottenOf.get(key) ?? 0;
    if (forgotten < script.forgets) forgottenOf.set(key, forgotten + 1);
    else byKey.set(key, job);
    byId.set(id, job);
    return job;
  }

  return {
    /**
     * One job for a key, however often it is handed in. Throws a ScriptError.
     * @param {string} key
     * @param {import("./wire.js").Submission} submission
     * @returns {Outcome}
     */
    submit(key, submission) {
      const known = byKey.get(key);
      if (known !== undefined && !isDeepStrictEqual(known.submission, submission)) return { kind: "conflict" };
      const script = readScript(submission.prompt);
      if (script.refusal !== null) return { kind: "refused", status: script.refusal };
      const before = tries.get(key) ?? 0;
      tries.set(key, before + 1);
      if (before < script.errors) return { kind: "unavailable" };
      if (before < script.errors + script.limited) return { kind: "limited" };
      const isDropped = before < script.errors + script.limited + script.drops;
      return { kind: "accepted", job: known ?? accept(key, submission, script), isNew: known === undefined, isDropped };
    },

    /** @param {string} id */
    find(id) {
      const job = byId.get(id);
      return job?.script.isLost ? undefined : job;
    },

    /** A job that is over stays as it is. @param {Job} job */
    cancel(job) {
      if (!isOver(statusOf(job, now()))) job.cancelledAt = now();
    },

    /** Oldest first. */
    list: () =>
      Array.from(byId.values(), (job) => ({
        ...{ id: job.id, key: job.key, status: statusOf(job, now()) },
        ...{ acceptedAt: job.acceptedAt, submission: job.submission },
      })),
  };
}
