import type { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { z } from "zod";
import { type BoardQueue, isForLooking } from "./board-queue.ts";
import { PlainAdapter } from "./plain-adapter.ts";
import { readable, readableTask } from "./readable.ts";

const DESCRIPTIONS: Readonly<Record<BoardQueue["name"], string>> = {
  inbox: "Tasks that have just come in and are not routed yet. Completed: routed, and now a job of the next queue.",
  local: "Tasks for the sessions of the pool. Completed: done, or cancelled.",
  delegated:
    "Tasks for the platform; active while they are out. Completed: done, cancelled, or gone to the local pool.",
  reaper: "The clock by which the platform is asked what it has finished.",
  notifications: "What the webhook and the command are told; delayed: tried again later.",
};

/** A task that is done is run again from its own page: beside each job the button would be pressed by mistake. */
const COMPLETED_STAY = { allowCompletedRetries: false };

/** A notification of a task. */
const news = z.object({ notification: z.object({ task: z.object({ id: z.string() }) }) });

/** How Bull Board shows a queue. */
export function adapterOf(queue: BoardQueue, readOnly: boolean): BullMQAdapter {
  const isTask = queue.name !== "reaper" && queue.name !== "notifications";
  const adapter = new PlainAdapter(queue.queue, {
    ...COMPLETED_STAY,
    description: DESCRIPTIONS[queue.name],
    readOnlyMode: readOnly || isForLooking(queue),
    externalJobUrl: (job) => linkTo(isTask ? String(job.id) : news.safeParse(job.data).data?.notification.task.id),
  });
  adapter.setFormatter("data", isTask ? readableTask : readable);
  adapter.setFormatter("returnValue", readable);
  return adapter;
}

/** A job without a task has the list of tasks. */
function linkTo(id: string | undefined): { href: string; displayText: string } {
  return id === undefined
    ? { href: "/tasks", displayText: "Tasks" }
    : { href: `/tasks/${encodeURIComponent(id)}`, displayText: "Task page" };
}
