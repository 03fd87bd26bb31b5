import type { TaskFile } from "../core/task.ts";
import { isClaimed } from "./claim.ts";
import { type Marker, removeMarkerOf, writeMarker } from "./marker.ts";

/** Marks a waiting task as being with secutools. False when it runs: of a claim and a marker at once, neither stays. */
export async function mark(task: TaskFile, content: Marker): Promise<boolean> {
  await writeMarker(task, content);
  if (!(await isClaimed(task))) return true;
  await removeMarkerOf(task, content.job);
  return false;
}
