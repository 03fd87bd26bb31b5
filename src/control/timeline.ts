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
  const runs = await Promise.all((await store.runsOf(id)).map(async (run) => await readRun(store, run)));
  // Runs that go on with one another share a transcript.
  const transcripts = new Set(runs.flatMap(({ transcript }) => transcript ?? []));
  const steps = [
    await journal.read(id),
    ...runs.map(({ starts }) => starts),
    ...(await Promise.all([...transcripts].map(async (path) => await readTranscript(path, MAX_TRANSCRIPT_BYTES)))),
  ];
  return steps
    .flat()
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, type, text }): TaskStep => ({ at: new Date(atMs).toISOString(), type, text: cut(text, maxText) }));
}

/** When a run's agent got ready, and where its transcript is. */
async function readRun(store: RunStore, run: string) {
  const files = new RunFiles(store, run);
  const events = await files.newEvents();
  const starts = events.flatMap(({ event, atMs }) =>
    event.hook_event_name === "SessionStart"
      ? [{ atMs, type: "ready", text: `the agent is ready (${event.source})` }]
      : [],
  );
  return { starts, transcript: files.transcript };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
