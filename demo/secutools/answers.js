import { hugeBody, slowBody } from "./bodies.js";
import { describe, statusOf } from "./work.js";

/** @typedef {import("./jobs.js").Job} Job */

/** What a proxy in front of a platform may answer instead of it. */
const HTML = "<!doctype html>\n<title>One moment</title>\n<p>We will be back soon.</p>\n";

/**
 * @param {number} status
 * @param {string} code
 * @param {string} message
 * @param {Record<string, string>} [headers]
 */
export const error = (status, code, message, headers = {}) =>
  Response.json({ error: { code, message } }, { status, headers });

/** @param {number} retryAfterS */
export const tooMany = (retryAfterS) =>
  error(429, "rate_limited", "too many requests", { "retry-after": String(retryAfterS) });

/** @param {string} id */
export const unknown = (id) => error(404, "unknown_job", `no job has the id ${id}`);

/** To POST. @param {Job} job @param {boolean} isNew @param {number} now */
export function accepted(job, isNew, now) {
  const status = isNew ? 201 : 200;
  return job.script.isAcceptedAsGarbage ? html(status) : standing(job, status, now);
}

/** To DELETE. @param {Job} job @param {number} now */
export const ended = (job, now) => standing(job, 200, now);

/** To GET. @param {Job} job @param {number} now */
export function found(job, now) {
  const { isGarbage, status, hugeBytes, slowMs } = job.script;
  if (isGarbage) return html(200);
  const wire = describe(job, now);
  if (hugeBytes > 0 && wire.status === "completed") return json(hugeBody(wire, hugeBytes));
  const text = JSON.stringify(status === null ? wire : { ...wire, status });
  return json(slowMs > 0 ? slowBody(text, slowMs) : text);
}

/** @param {Job} job @param {number} status @param {number} now */
const standing = (job, status, now) => Response.json({ id: job.id, status: statusOf(job, now) }, { status });

/** @param {string | ReadableStream} body */
const json = (body) => new Response(body, { headers: { "content-type": "application/json" } });

/** @param {number} status */
const html = (status) => new Response(HTML, { status, headers: { "content-type": "text/html; charset=utf-8" } });
