import { heardByNow } from "../core/heard.ts";
import {
  fingerprint,
  isMovedIn,
  isToldOf,
  released,
  SETTLE_MS,
  type Sighting,
  unsettledMs,
} from "../ledger/completeness.ts";

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

  /**
   * The files among these that can be read now. The others are remembered until the next call.
   * `isOnlyRenamed` tells whether renames, up to now, are all that was reported of a name.
   */
  async complete(
    sightings: readonly Sighting[],
    isOnlyRenamed: (name: string) => boolean = () => false,
  ): Promise<Sighting[]> {
    const nowMs = performance.now();
    const looks = new Map(sightings.map((sighting) => [sighting.path, this.#look(sighting, nowMs)]));
    const waits = new Map(sightings.map((sighting) => [sighting, leftMs(sighting, looks.get(sighting.path), nowMs)]));
    const isDue = (sighting: Sighting) =>
      waits.get(sighting) === 0 || (isToldOf(sighting) && isOnlyRenamed(sighting.name));
    const free = await unwritten(sightings.filter((sighting) => !isMovedIn(sighting) && isDue(sighting)));
    // Asked again: data of a write that had returned by now was reported by now.
    const complete = sightings.filter((sighting) => isMovedIn(sighting) || (free.has(sighting) && isDue(sighting)));
    for (const sighting of complete) {
      looks.delete(sighting.path);
      waits.delete(sighting);
    }
    this.#looks = looks;
    this.retryMs = waits.size === 0 ? null : Math.min(...[...waits.values()].map((ms) => ms || HELD_RETRY_MS));
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

/** Those of these files that no process was writing. Every event of what was written before is told by the end. */
async function unwritten(sightings: readonly Sighting[]): Promise<ReadonlySet<Sighting>> {
  if (sightings.length === 0) return new Set();
  const free = new Set(await released(sightings));
  await heardByNow();
  return free;
}
