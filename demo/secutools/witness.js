import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";

/**
 * A request as it came in, and what it was answered; `dropped`: nothing.
 * @typedef {object} Seen
 * @property {number} at milliseconds since 1970
 * @property {string} method
 * @property {string} path
 * @property {string | null} key its Idempotency-Key
 * @property {number | "open" | "dropped"} status
 *
 * @typedef {object} Stats
 * @property {number} accepted jobs, each counted once
 * @property {number} replays submissions with the key of a job that was accepted before
 * @property {number} duplicates jobs whose project, task and prompt were accepted before
 * @property {number} refused submissions that were answered with a 4xx other than 408 and 429
 * @property {number} inFlight requests that are open now
 * @property {number} maxInFlight the most requests that were open at once
 * @property {Record<string, Record<string, number>>} requests how many, by method and status
 */

/**
 * Counts what really came in, whatever the client believes, and says so to a log of its own: a line for each accepted
 * job, and one for each request before it is answered.
 * @param {import("./options.js").Settings} settings
 */
export function openWitness({ log: file, now }) {
  /** @type {Seen[]} */
  const seen = [];
  const contents = new Set();
  const counts = { accepted: 0, replays: 0, duplicates: 0, maxInFlight: 0 };
  let inFlight = 0;

  /** @param {"accepted" | "request"} event @param {object} fields */
  function log(event, fields) {
    if (file !== undefined) appendFileSync(file, `${JSON.stringify({ event, ...fields })}\n`);
  }

  return {
    /** @param {string} method @param {string} path @param {string | undefined} key */
    arrived(method, path, key) {
      inFlight += 1;
      counts.maxInFlight = Math.max(counts.maxInFlight, inFlight);
      /** @type {Seen} */
      const request = { at: now(), method, path, key: key ?? null, status: "open" };
      seen.push(request);
      return request;
    },

    /** Before the answer is sent. @param {Seen} request @param {number | "dropped"} status */
    answered(request, status) {
      request.status = status;
      log("request", request);
    },

    left() {
      inFlight -= 1;
    },

    /** @param {import("./jobs.js").Job} job @param {boolean} isNew */
    accepted({ id, key, submission, acceptedAt }, isNew) {
      if (!isNew) {
        counts.replays += 1;
        return;
      }
      const { provider, priority, prompt, metadata } = submission;
      const content = sha256(JSON.stringify([metadata.project, metadata.task, prompt]));
      counts.accepted += 1;
      if (contents.has(content)) counts.duplicates += 1;
      contents.add(content);
      log("accepted", { at: acceptedAt, id, key, provider, priority, ...metadata, contentSha256: content });
    },

    /** Oldest first. */
    requests: () => seen.map((request) => ({ ...request })),

    /** @returns {Stats} */
    stats: () => ({ ...counts, inFlight, refused: seen.filter(isRefused).length, requests: byMethodAndStatus(seen) }),
  };
}

/** @param {Seen} request */
function isRefused({ method, status }) {
  return (
    method === "POST" && typeof status === "number" && status >= 400 && status < 500 && ![408, 429].includes(status)
  );
}

/** @param {Seen[]} requests */
function byMethodAndStatus(requests) {
  /** @type {Record<string, Record<string, number>>} */
  const counts = {};
  for (const { method, status } of requests) {
    const row = counts[method] ?? {};
    row[status] = (row[status] ?? 0) + 1;
    counts[method] = row;
  }
  return counts;
}

/** @param {string} text */
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
