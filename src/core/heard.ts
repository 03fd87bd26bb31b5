import { setImmediate as turn } from "node:timers/promises";

/** Resolves once every file event has been told whose cause lies before the call. */
export async function heardByNow(): Promise<void> {
  // This turn's events may have been fetched before the call. Those of the next are not.
  await turn();
  await turn();
}
