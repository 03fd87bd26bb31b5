import { lstat, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { isSystemError, QueueError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { PROVIDERS } from "../core/route.ts";
import type { TaskFile } from "../core/task.ts";
import { inboxDraftPath, markerPath } from "./layout.ts";
import { readRegular } from "./regular-file.ts";

/** A task's text has 1 MiB at most; as JSON, it takes up to six times as much. */
const MAX_MARKER_BYTES = 8 * 1024 * 1024;

const marker = z.object({
  /** The task's job in the queue, and which attempt this is. */
  job: z.string().regex(/^[a-z0-9]+$/),
  attempt: z.int().min(1),
  /** The runs that the task had before it was put into the inbox. */
  earlierRuns: z.int().min(0).default(0),
  /** The platform's job; null while the task is being submitted. */
  remoteId: z.string().nullable(),
  provider: z.enum(PROVIDERS),
  reason: z.string(),
  submittedAt: z.iso.datetime(),
  /** What was submitted: the file's fingerprint, and its text. A file that was changed since is another task. */
  fingerprint: z.string(),
  text: z.string(),
});

/** What stands in `x.md.delegated`: enough to bring the task home when Redis has lost it. */
export type Marker = Readonly<z.infer<typeof marker>>;

/** The platform's job and when it was submitted; null while it is being submitted. */
export function remoteOf({ remoteId, submittedAt }: Marker): { id: string; submittedAtMs: number } | null {
  return remoteId === null ? null : { id: remoteId, submittedAtMs: Date.parse(submittedAt) };
}

/** Marks a task as being with secutools, whole or not at all. */
export async function writeMarker(task: TaskFile, content: Marker): Promise<void> {
  // Its own, as another daemon may be submitting the same task.
  const draft = inboxDraftPath(task.project);
  try {
    await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flush: true });
    await rename(draft, markerPath(task));
  } finally {
    await rm(draft, { force: true });
  }
}

/** The marker beside a task, null when there is none. @throws {QueueError} MARKER_INVALID */
export async function readMarker(task: TaskFile): Promise<Marker | null> {
  const bytes = await readRegular(markerPath(task), MAX_MARKER_BYTES).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return "none";
    throw error;
  });
  if (bytes === "none") return null;
  const parsed = marker.safeParse(parseJson(bytes?.toString() ?? ""));
  if (!parsed.success) throw invalidMarker(task);
  return parsed.data;
}

export function invalidMarker(task: TaskFile): QueueError {
  return new QueueError(`${markerPath(task)} does not say which job it stands for`, {
    code: "MARKER_INVALID",
    hint: "remove it to have the task done anew, or write it back as it was",
  });
}

/** Whether a task is with secutools. */
export async function isMarked(task: TaskFile): Promise<boolean> {
  return await lstat(markerPath(task)).then(
    () => true,
    () => false,
  );
}

export async function removeMarker(task: TaskFile): Promise<void> {
  await rm(markerPath(task), { force: true });
}

/** Removes the marker, if it is this job's. */
export async function removeMarkerOf(task: TaskFile, job: string): Promise<void> {
  if ((await readMarker(task))?.job === job) await removeMarker(task);
}
