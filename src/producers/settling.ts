import { fingerprint, isMovedIn, released, SETTLE_MS, type Sighting, unsettledMs } from "../ledger/completeness.ts";

/** How soon a file that some process holds open for writing is looked at again. */
const HELD_RETRY_MS = 250;

interface Look {
  readonly fingerprint: string;
  /** performance.now() of the first look that found the file so. */
  readonly sinceMs: number;
}

/** Tells which files of an inbox are complete, remembering those that were still being written. */
export class Settling {
  #looks = new Map<string, Look>();

  /** When to look again at what was not complete at the last look; null when all was. */
  retryMs: number | null = null;

  /** The files among these that can be read now. The others are remembered until the next call. */
  async complete(sightings: readonly Sighting[]): Promise<Sighting[]> {
    const nowMs = performance.now();
    const looks = new Map(sightings.map((sighting) => [sighting.path, this.#look(sighting, nowMs)]));
    const waits = sightings.map((sighting) => leftMs(sighting, looks.get(sighting.path), nowMs));
    const settled = sightings.filter((_, index) => waits[index] === 0);
    const inPlace = settled.filter((sighting) => !isMovedIn(sighting));
    const free = new Set(inPlace.length > 0 ? await released(inPlace) : []);
    const complete = settled.filter((sighting) => isMovedIn(sighting) || free.has(sighting));
    for (const { path } of complete) looks.delete(path);
    this.#looks = looks;
    this.retryMs = soonest(waits, settled.length - complete.length);
    return complete;
  }

  #look(sighting: Sighting, nowMs: number): Look {
    const before = this.#looks.get(sighting.path);
    const now = fingerprint(sighting);
    return before?.fingerprint === now ? before : { fingerprint: now, sinceMs: nowMs };
  }
}

/** A file has settled when its own times say so, or, where clocks disagree, when we saw it unchanged for as long. */
function leftMs(sighting: Sighting, look: Look | undefined, nowMs: number): number {
  if (isMovedIn(sighting)) return 0;
  const watchedMs = nowMs - (look?.sinceMs ?? nowMs);
  return Math.min(unsettledMs(sighting, Date.now()), Math.max(0, SETTLE_MS - watchedMs));
}

function soonest(waits: readonly number[], held: number): number | null {
  const left = waits.filter((ms) => ms > 0);
  if (held > 0) left.push(HELD_RETRY_MS);
  return left.length === 0 ? null : Math.min(...left);
}
