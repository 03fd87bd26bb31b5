import { z } from "zod";
import type { TaskEvent, TaskEvents } from "../core/events.ts";
import { taskLabel } from "../core/task.ts";
import type { InboxWatcher } from "../producers/inbox-watcher.ts";
import type { TmuxWorker } from "../workers/tmux-worker.ts";

/** enqueued = its file waited, and no job stood for it; restored = it runs, or is with the platform, and no job said so. */
export const repairSchema = z.object({
  task: z.string(),
  id: z.string(),
  what: z.enum(["enqueued", "restored"]),
});
export type Repair = Readonly<z.infer<typeof repairSchema>>;

export interface RepairSources {
  readonly events: TaskEvents;
  readonly worker: TmuxWorker;
  readonly inboxes: InboxWatcher;
}

/** Brings Redis in line with the files and the sessions, as the daemon does by itself. Returns what there was to do. */
export async function repair({ events, worker, inboxes }: RepairSources): Promise<Repair[]> {
  const done: Repair[] = [];
  const note = (event: TaskEvent) => done.push(...repairOf(event));
  events.on(note);
  try {
    await worker.setRight();
    await inboxes.sweepOnce("thorough");
  } finally {
    events.off(note);
  }
  return done;
}

function repairOf({ type, task, id }: TaskEvent): Repair[] {
  if (type === "seen") return [{ task: taskLabel(task), id, what: "enqueued" }];
  return type === "restored" ? [{ task: taskLabel(task), id, what: "restored" }] : [];
}
