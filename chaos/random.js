import { openDice } from "../demo/secutools/chance.js";

/** @typedef {ReturnType<typeof openRandom>} Random */

/**
 * Choices: always the same ones in the same order for a seed and a name.
 * @param {number} seed
 * @param {string} name
 */
export function openRandom(seed, name) {
  const roll = openDice(seed, name);
  return {
    /** A whole number, both ends included. @param {number} min @param {number} max */
    between: (min, max) => min + Math.floor(roll() * (max - min + 1)),

    /** @param {number} probability */
    chance: (probability) => roll() < probability,

    /** Undefined where there is nothing to pick. @template T @param {readonly T[]} list */
    pick: (list) => list[Math.floor(roll() * list.length)],

    /** The heavier, the oftener. Undefined where there is nothing to pick. @template {{ weight: number }} T @param {readonly T[]} list */
    weighted(list) {
      let left = roll() * list.reduce((sum, { weight }) => sum + weight, 0);
      return list.find(({ weight }) => {
        left -= weight;
        return left < 0;
      });
    },
  };
}
