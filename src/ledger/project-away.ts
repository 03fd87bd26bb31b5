import { QueueError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";

/** What became of a task cannot be written down, as its project is not where it was. */
export function projectAway({ project, name }: TaskFile, cause?: unknown): QueueError {
  return new QueueError(`${project} is not there, so ${name} cannot be finalised or put back`, {
    code: "PROJECT_AWAY",
    hint: "bring it back under this name, or remove what is left of it: it is tried again by itself",
    cause,
  });
}
