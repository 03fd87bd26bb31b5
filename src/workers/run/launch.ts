import type { Session } from "../tmux/pool.ts";
import type { RunParts } from "./parts.ts";
import { takeBack } from "./prepare.ts";
import { type RunRecord, taskOf } from "./record.ts";
import { runArguments } from "./store.ts";

/** Starts the agent of a prepared run; null when tmux or the disk would not, and the job waits again. */
export async function launchRun(parts: RunParts, record: RunRecord, session: Session): Promise<RunRecord | null> {
  const { store, tmux, config, events, onError } = parts;
  const launched: RunRecord = { ...record, state: { name: "launched", atMs: Date.now() } };
  try {
    await store.save(launched);
    await tmux.startRun(session.pane, record.id, runArguments(store, launched, config.claude));
  } catch (error) {
    onError(error);
    return await afterRefusal(parts, launched, session);
  }
  const { id: run, job: id, model } = launched;
  events.emit({ type: "launched", task: taskOf(record), id, session: session.name, model, run });
  return launched;
}

/** Only a pane that is proved to hold no agent lets the job go back: otherwise the run is watched after all. */
async function afterRefusal(parts: RunParts, record: RunRecord, session: Session): Promise<RunRecord | null> {
  try {
    await parts.pool.release(session, { cooldown: true });
  } catch {
    return record;
  }
  await takeBack(parts, record);
  return null;
}
