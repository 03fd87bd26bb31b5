import type { WatchEventType } from "node:fs";
import type { Sighting } from "../ledger/completeness.ts";

/** What was told of a name: nothing, where it was found by looking. */
type Told = "nothing" | "renames" | "changes";

const naturalOrder = new Intl.Collator("en", { numeric: true });

/** The names in an inbox that are to be looked at, in the order in which they came up. */
export class Reports {
  #told = new Map<string, Told>();

  /** The system tells of a name. */
  tell(name: string, event: WatchEventType): void {
    this.#add(name, event === "rename" ? "renames" : "changes");
  }

  /** A name is to be looked at of which the system may tell yet. */
  find(name: string): void {
    this.#add(name, "nothing");
  }

  /** A name has to be looked at once more. That a rename proves it whole holds for one look alone. */
  putBack(name: string, taken: ReadonlyMap<string, Told>): void {
    this.#add(name, (taken.get(name) ?? "nothing") === "nothing" ? "nothing" : "changes");
  }

  has(name: string): boolean {
    return this.#told.has(name);
  }

  /** What came up by now. */
  take(): ReadonlyMap<string, Told> {
    const taken = this.#told;
    this.#told = new Map();
    return taken;
  }

  /**
   * First come, first. The file clock ticks every few ms: within a tick, those that were told of come in that order, then
   * the others as a person would count them.
   */
  arrivalOrder(taken: ReadonlyMap<string, Told>): (a: Sighting, b: Sighting) => number {
    const heard = [...taken, ...this.#told].filter(([, told]) => told !== "nothing");
    const places = new Map(heard.map(([name], place): [string, number] => [name, place]).toReversed());
    const placeOf = ({ name }: Sighting) => places.get(name) ?? heard.length;
    return (a, b) =>
      Number(a.stats.ctimeNs - b.stats.ctimeNs) || placeOf(a) - placeOf(b) || naturalOrder.compare(a.name, b.name);
  }

  #add(name: string, told: Told): void {
    const before = this.#told.get(name) ?? "nothing";
    if (before === "nothing") {
      // Its place is that of the first time it was told of, not that of a listing.
      this.#told.delete(name);
      this.#told.set(name, told);
    } else if (told === "changes") this.#told.set(name, "changes");
  }
}
