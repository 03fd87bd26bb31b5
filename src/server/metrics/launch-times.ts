import type { TaskEvent } from "../../core/events.ts";

/** Agents that are being launched at the same time; more than any pool has. */
const MAX_LAUNCHES = 2_000;

/** When agents were launched that have not taken their prompt yet. */
export class LaunchTimes {
  readonly #atMs = new Map<string, number>();

  /** How long the launch took that this event ends, null for any other event. */
  after(event: TaskEvent, nowMs: number): number | null {
    const launchedAtMs = this.#atMs.get(event.id);
    if (event.type === "launched") this.#note(event.id, nowMs);
    if (event.type === "launched" || event.type === "attention" || launchedAtMs === undefined) return null;
    this.#atMs.delete(event.id);
    return event.type === "submitted" ? nowMs - launchedAtMs : null;
  }

  #note(id: string, nowMs: number): void {
    this.#atMs.delete(id);
    this.#atMs.set(id, nowMs);
    const [oldest] = this.#atMs.keys();
    if (this.#atMs.size > MAX_LAUNCHES && oldest !== undefined) this.#atMs.delete(oldest);
  }
}
