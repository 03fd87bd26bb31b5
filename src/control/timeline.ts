import type { Journal } from "../queue/journal.ts";
import { readTranscript } from "../workers/claude/transcript.ts";
import { RunFiles } from "../workers/run/files.ts";
import type { RunStore } from "../workers/run/store.ts";
import type { TaskStep } from "./task-view.ts";

/** The last part of each transcript that is read. */
const MAX_TRANSCRIPT_BYTES = 4 * 1024 * 1024;

export interface TimelineSources {
  readonly journal: Journal;
  readonly store: RunStore;
}

/**
 * What happened to a task, the first step first: what the queue did, and what its agents said and did as far as they
 * ran on this host. Each text is cut to so many characters.
 */
export async function readTimeline({ journal, store }: TimelineSources, id: string, maxText: number) {
  const runs = await store.runsOf(id);
  const transcripts = new Set(await Promise.all(runs.map(async (run) => await transcriptOf(store, run))));
  const known = [...transcripts].filter((path) => path !== null);
  const steps = [
    await journal.read(id),
    ...(await Promise.all(known.map(async (path) => await readTranscript(path, MAX_TRANSCRIPT_BYTES)))),
  ];
  return steps
    .flat()
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, type, text }): TaskStep => ({ at: new Date(atMs).toISOString(), type, text: cut(text, maxText) }));
}

async function transcriptOf(store: RunStore, run: string): Promise<string | null> {
  const files = new RunFiles(store, run);
  await files.newEvents();
  return files.transcript;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
