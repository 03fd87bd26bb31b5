import { withLineBreaks } from "../agent/script.js";

/**
 * What a prompt asks for; 0, null and false where it asks for nothing.
 * @typedef {object} Script
 * @property {number | null} delayMs how long the job takes
 * @property {End} end
 * @property {string | null} result
 * @property {number} hugeBytes the length of the result
 * @property {string | null} id the job's id
 * @property {number | null} refusal the status of the answer to its submission, which is not accepted
 * @property {number} errors how many of the first submissions with a key are answered with 503, and not accepted
 * @property {number} limited how many after those are answered with 429, and not accepted
 * @property {number} drops how many after those are accepted and not answered
 * @property {number} forgets how many of the first jobs with a key are no longer known by it
 * @property {boolean} isAcceptedAsGarbage its submission is answered in HTML
 * @property {boolean} isLost nobody finds the job
 * @property {boolean} isGarbage GET answers in HTML
 * @property {string | null} status what GET says its status is
 * @property {number} slowMs how long an answer to GET takes to arrive
 *
 * @typedef {{ status: "completed" } | { status: "cancelled" }
 *   | { status: "failed", code: string, message: string }} End
 */

/** A line of a script that cannot be played. */
export class ScriptError extends Error {}

/** @type {Map<string, (arg: string, script: Script) => void>} */
const verbs = new Map(
  Object.entries({
    /** `delay MS`: the job takes that long. */
    delay(arg, script) {
      script.delayMs = number(arg);
    },

    /** `result TEXT`: what the job comes to; \n is a line break. */
    result(arg, script) {
      script.result = withLineBreaks(arg);
    },

    /** `huge MB`: the result has that many MiB. */
    huge(arg, script) {
      script.hugeBytes = number(arg) * 1024 * 1024;
    },

    /** `fail CODE MESSAGE`: the job ends as failed. */
    fail(arg, script) {
      const [, code = "unknown", message = ""] = /^(\S+)\s*(.*)$/.exec(arg) ?? [];
      script.end = { status: "failed", code, message };
    },

    /** `cancelled`: the platform itself cancels the job when its time is over. */
    cancelled(_arg, script) {
      script.end = { status: "cancelled" };
    },

    /** `lose`: accepted, and from then on unknown. */
    lose(_arg, script) {
      script.isLost = true;
    },

    /** `refuse STATUS`: each submission is answered with that 4xx, and not accepted. */
    refuse(arg, script) {
      script.refusal = number(arg);
      if (script.refusal < 400 || script.refusal > 499) throw new ScriptError(`"${arg}" is no status of a refusal`);
    },

    /** `errors N`: the first N submissions with a key are answered with 503, and not accepted. */
    errors(arg, script) {
      script.errors = number(arg);
    },

    /** `limited N`: the first N submissions (after those of `errors`) are answered with 429, and not accepted. */
    limited(arg, script) {
      script.limited = number(arg);
    },

    /** `drop N`: the first N submissions (after those of `errors` and `limited`) are accepted, and get no answer. */
    drop(arg, script) {
      script.drops = number(arg);
    },

    /** `forget N`: the first N jobs with a key are forgotten to have it, so that the same submission is another job. */
    forget(arg, script) {
      script.forgets = number(arg);
    },

    /** `accept-garbage`: accepted, with an answer in HTML. */
    "accept-garbage"(_arg, script) {
      script.isAcceptedAsGarbage = true;
    },

    /** `id TEXT`: the job's id, whatever it is. */
    id(arg, script) {
      script.id = arg;
    },

    /** `status WORD`: GET says that this is the job's status. */
    status(arg, script) {
      script.status = arg;
    },

    /** `garbage`: GET answers 200, in HTML. */
    garbage(_arg, script) {
      script.isGarbage = true;
    },

    /** `slow MS`: what GET answers arrives over that time, a little at a time. */
    slow(arg, script) {
      script.slowMs = number(arg);
    },
  }),
);

/** @param {string} arg */
function number(arg) {
  if (!/^\d{1,9}$/.test(arg)) throw new ScriptError(`"${arg}" is not a whole number`);
  return Number(arg);
}

/**
 * The lines of the form `secutools: VERB ARG`. Throws a ScriptError.
 * @param {string} prompt
 */
export function readScript(prompt) {
  /** @type {Script} */
  const script = {
    ...{ delayMs: null, end: { status: "completed" }, result: null, hugeBytes: 0, id: null, refusal: null },
    ...{ errors: 0, limited: 0, drops: 0, forgets: 0, isAcceptedAsGarbage: false },
    ...{ isLost: false, isGarbage: false, status: null, slowMs: 0 },
  };
  for (const [, verb = "", arg = ""] of prompt.matchAll(/^[ \t]*secutools:[ \t]+(\S+)[ \t]*(.*)$/gm)) {
    const act = verbs.get(verb);
    if (act === undefined) throw new ScriptError(`cannot "${verb}": it knows ${[...verbs.keys()].join(", ")}`);
    act(arg.trimEnd(), script);
  }
  return script;
}
