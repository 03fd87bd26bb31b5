/**
 * Measures each way in turns, and one round more before, which does not count.
 * @template {string} Name
 * @param {number} rounds
 * @param {Readonly<Record<Name, () => Promise<number>>>} ways
 * @returns {Promise<Record<Name, number[]>>} one sample a round
 */
export async function inTurns(rounds, ways) {
  const names = /** @type {Name[]} */ (Object.keys(ways));
  const none = names.map((name) => /** @type {[Name, number[]]} */ ([name, []]));
  const samples = /** @type {Record<Name, number[]>} */ (Object.fromEntries(none));
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const sample = await ways[name]();
      if (round > 0) samples[name].push(sample);
    }
  }
  return samples;
}
