import { createHash } from "node:crypto";

/**
 * @typedef {{ kind: "none" } | { kind: "error", status: number } | { kind: "limit" } | { kind: "drop" }} Fault
 */

const ERRORS = /** @type {const} */ ([500, 502, 503]);

/**
 * Numbers from 0 up to 1, always the same ones in the same order for a seed and a name.
 * @param {number} seed
 * @param {string} name
 */
export function openDice(seed, name) {
  let thrown = 0;
  return () => {
    thrown += 1;
    return createHash("sha256").update(`${seed} ${name} ${thrown}`).digest().readUInt32BE() / 2 ** 32;
  };
}

/**
 * What befalls each request. Each method has its own dice, so that the number of polls changes nothing for submissions.
 * @param {import("./options.js").Settings} settings
 */
export function openFaults({ seed, errors, limits, drops }) {
  /** @type {Map<string, () => number>} */
  const dice = new Map();

  /** @param {string} method @returns {Fault} */
  return function nextFault(method) {
    const roll = dice.get(method) ?? openDice(seed, method);
    dice.set(method, roll);
    const number = roll();
    if (number < errors) return { kind: "error", status: ERRORS[Math.floor((number / errors) * ERRORS.length)] ?? 500 };
    if (number < errors + limits) return { kind: "limit" };
    if (number < errors + limits + drops) return { kind: "drop" };
    return { kind: "none" };
  };
}
