/** Lets so many turns of the event loop pass. */
export async function hesitate(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** How long one of two is to hesitate in the next round: whoever has won begins later, so that they meet. */
export function nextHesitation(turns: number, hasWon: boolean): number {
  return hasWon ? Math.ceil(turns * 1.5) + 1 : Math.floor(turns * 0.7);
}
