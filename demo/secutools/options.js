import { parseArgs } from "node:util";
import { z } from "zod";

/**
 * What goes wrong by chance: the probability of each, from 0 to 1, for every request that shows the key.
 * @typedef {object} Faults
 * @property {number | undefined} [errors] it is answered with 500, 502 or 503 and not carried out
 * @property {number | undefined} [limits] it is answered with 429 and Retry-After and not carried out
 * @property {number | undefined} [drops] it is carried out, and the connection ends without an answer
 * @property {number | undefined} [retryAfterS] what Retry-After says in any 429; 1 unless said
 *
 * @typedef {object} Options
 * @property {string | undefined} [host] the address to listen on; 127.0.0.1 unless said
 * @property {number | undefined} [port] 0, unless said, is any free one
 * @property {string | undefined} [key] the API key; `demo-key` unless said
 * @property {number | [min: number, max: number] | undefined} [delayMs] how long a job takes, or a random
 *   time between two; 2000 unless said
 * @property {number | undefined} [latencyMs] how long each answer is held back, after its request was carried out
 * @property {number | undefined} [seed] the same seed gives the same random times and faults; 1 unless said
 * @property {Faults | undefined} [faults]
 * @property {string | undefined} [log] a file that gets one line of JSON for each accepted job and each answer
 * @property {(() => number) | undefined} [now] the clock, in milliseconds since 1970
 *
 * @typedef {ReturnType<typeof settle>} Settings
 */

const DEFAULT_PORT = 8430;

/**
 * The options with what they do not say.
 * @param {Options} options
 */
export function settle({ host = "127.0.0.1", port = 0, key = "demo-key", delayMs = 2000, latencyMs = 0, ...more }) {
  const { seed = 1, faults, log, now } = more;
  const { errors = 0, limits = 0, drops = 0, retryAfterS = 1 } = faults ?? {};
  if (Math.min(errors, limits, drops) < 0 || errors + limits + drops > 1) {
    throw new RangeError("errors, limits and drops are probabilities, and together 1 at most");
  }
  const [minDelayMs, maxDelayMs] = typeof delayMs === "number" ? [delayMs, delayMs] : delayMs;
  if (minDelayMs > maxDelayMs) throw new RangeError("the shorter delay comes first");
  return {
    ...{ host, port, key, seed, log, minDelayMs, maxDelayMs, latencyMs },
    ...{ errors, limits, drops, retryAfterS, now: now ?? Date.now },
  };
}

const delay = z
  .string()
  .regex(/^\d+(-\d+)?$/, "not a number of milliseconds, nor two with a hyphen between them")
  .transform((text) => {
    const [min = 0, max = min] = text.split("-").map(Number);
    return /** @type {[number, number]} */ ([min, max]);
  });
const probability = z.coerce.number().min(0).max(1);

const commandLine = z.object({
  host: z.string().min(1).optional(),
  port: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  key: z.string().min(1).optional(),
  delay: delay.optional(),
  latency: z.coerce.number().int().min(0).optional(),
  seed: z.coerce.number().int().optional(),
  errors: probability.optional(),
  limits: probability.optional(),
  drops: probability.optional(),
  "retry-after": z.coerce.number().int().min(0).optional(),
  log: z.string().min(1).optional(),
});

/**
 * The options that a command line gives. Throws an Error that says what is wrong with it.
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const text = /** @type {const} */ ({ type: "string" });
  const { values } = parseArgs({
    args,
    options: {
      ...{ host: text, port: text, key: text, delay: text, latency: text, seed: text, log: text },
      ...{ errors: text, limits: text, drops: text, "retry-after": text },
    },
  });
  const { success, data, error } = commandLine.safeParse(values);
  if (!success) throw new Error(z.prettifyError(error));
  const { host, port, key, delay: delayMs, latency: latencyMs, seed, log } = data;
  const { errors, limits, drops, "retry-after": retryAfterS } = data;
  const options = { host, port, key, delayMs, latencyMs, seed, log, faults: { errors, limits, drops, retryAfterS } };
  settle(options);
  return options;
}
