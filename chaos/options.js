import { parseArgs } from "node:util";
import { Failure } from "../scripts/failure.js";
import { FAULTS } from "./faults.js";
import { openRandom } from "./random.js";

/**
 * @typedef {object} Options
 * @property {number} minutes of harm; then everything is mended and has to come to its end
 * @property {number} seed
 * @property {number} sessions
 * @property {boolean} isEmbedded whether the daemon brings its Redis along
 * @property {number} hosts
 * @property {readonly import("./faults.js").Fault[]} faults
 */

/** What no two hosts promise anything for: docs/reliability.md says why. */
const FOR_ONE_HOST = ["Redis emptied", "Redis rolled back"];

/** The exit code where a command line is wrong. */
const USAGE = 2;

/**
 * The options of a command line. Throws a Failure that says what is wrong with it.
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const text = /** @type {const} */ ({ type: "string" });
  const { values } = parseArgs({
    args,
    options: {
      ...{ minutes: { ...text, default: "5" }, seed: text, sessions: { ...text, default: "10" } },
      ...{ redis: text, hosts: { ...text, default: "1" }, only: text, without: text },
    },
  });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : number("seed", values.seed, 0);
  const hosts = number("hosts", values.hosts, 1);
  if (hosts > 2) throw new Failure("--hosts takes 1 or 2", USAGE);
  return {
    minutes: number("minutes", values.minutes, 0),
    seed,
    sessions: number("sessions", values.sessions, 1),
    isEmbedded: hosts === 1 && isEmbedded(values.redis, seed),
    hosts,
    faults: faultsOf(values.only, values.without).filter(({ name }) => hosts === 1 || !FOR_ONE_HOST.includes(name)),
  };
}

/** Where nothing is said, the seed says. @param {string | undefined} redis @param {number} seed */
function isEmbedded(redis, seed) {
  if (redis === undefined) return openRandom(seed, "redis").chance(0.5);
  if (redis !== "embedded" && redis !== "outside") throw new Failure("--redis takes embedded or outside", USAGE);
  return redis === "embedded";
}

/** @param {string | undefined} only @param {string | undefined} without */
function faultsOf(only, without) {
  const [wanted, unwanted] = [namesOf(only), namesOf(without)];
  return FAULTS.filter(({ name }) => (wanted.length === 0 || wanted.includes(name)) && !unwanted.includes(name));
}

/** @param {string | undefined} text */
function namesOf(text) {
  const names = text === undefined ? [] : text.split(",");
  const known = FAULTS.map(({ name }) => name);
  const strange = names.find((name) => !known.includes(name));
  if (strange !== undefined) throw new Failure(`"${strange}" is no fault; there are: ${known.join(", ")}`, USAGE);
  return names;
}

/** @param {string} name @param {string} text @param {number} least */
function number(name, text, least) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < least)
    throw new Failure(`--${name}: "${text}" will not do`, USAGE);
  return value;
}
