import { firstLineOf } from "../agent/script.js";

/**
 * @typedef {import("./wire.js").Submission["provider"]} Provider
 * @typedef {{ model: string, input: number, output: number }} Offer
 */

/** What each provider runs, and its price in dollars for a million tokens. @type {Record<Provider, Offer>} */
const OFFERS = {
  gpu: { model: "qwen3-32b", input: 0.1, output: 0.3 },
  gemini: { model: "gemini-2.5-pro", input: 1.25, output: 10 },
  "claude-api": { model: "claude-sonnet", input: 3, output: 15 },
};

/** How much of its time a job waits. */
const QUEUED_SHARE = 0.25;

/**
 * Where a job stands: its life is computed whenever somebody asks.
 * @param {import("./jobs.js").Job} job
 * @param {number} now
 * @returns {import("./wire.js").Status}
 */
export function statusOf({ acceptedAt, cancelledAt, delayMs, script }, now) {
  if (cancelledAt !== null) return "cancelled";
  const age = now - acceptedAt;
  if (age >= delayMs) return script.end.status;
  return age < delayMs * QUEUED_SHARE ? "queued" : "running";
}

/** @param {import("./wire.js").Status} status */
export const isOver = (status) => status !== "queued" && status !== "running";

/**
 * What GET answers. A huge result is not in it.
 * @param {import("./jobs.js").Job} job
 * @param {number} now
 * @returns {import("./wire.js").WireJob}
 */
export function describe(job, now) {
  const { id, submission, script, acceptedAt, cancelledAt, delayMs } = job;
  const { provider } = submission;
  const status = statusOf(job, now);
  const result = status === "completed" ? resultOf(job) : null;
  const isPaidFor = status === "completed" || status === "failed";
  const outputLength = status === "completed" ? script.hugeBytes || (result ?? "").length : 0;
  const usage = { input_tokens: tokens(submission.prompt.length), output_tokens: tokens(outputLength) };
  return {
    id,
    status,
    provider,
    model: status === "queued" ? null : OFFERS[provider].model,
    result,
    error:
      status === "failed" && script.end.status === "failed"
        ? { code: script.end.code, message: script.end.message }
        : null,
    cost_usd: isPaidFor ? costUsd(provider, usage) : null,
    usage: isPaidFor ? usage : null,
    created_at: new Date(acceptedAt).toISOString(),
    finished_at: isOver(status) ? new Date(cancelledAt ?? acceptedAt + delayMs).toISOString() : null,
  };
}

/** @param {import("./jobs.js").Job} job */
function resultOf({ submission: { title, prompt }, script }) {
  return script.result ?? `## ${title}\n\nDone, as far as a stand-in can: "${firstLineOf(prompt)}"\n`;
}

/** @param {number} length in characters */
const tokens = (length) => Math.ceil(length / 4);

/** @param {Provider} provider @param {{ input_tokens: number, output_tokens: number }} usage */
function costUsd(provider, { input_tokens, output_tokens }) {
  const { input, output } = OFFERS[provider];
  return Number(((input_tokens * input + output_tokens * output) / 1e6).toFixed(9));
}
