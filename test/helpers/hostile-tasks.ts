import type { TaskView } from "../../src/control/task-view.ts";
import type { DashboardOptions } from "../../src/server/dashboard/dashboard.tsx";
import { exampleDetail, exampleOverview, exampleTask } from "./dashboard-data.ts";

/** What somebody may write who wishes the page ill: markup, a turn of the reading direction, no place to break a line, a terminal's title. */
export const EVIL = `<img src=x onerror="alert(1)">'"&\u202e<script>alert(2)</script></textarea>${"w".repeat(3_000)}\u001b]0;title\u0007`;

/** Answers in which everything that a task or an agent may have written is that. */
export function evilAnswers(): Pick<DashboardOptions["controls"], "overview" | "tasks" | "task"> {
  const task: TaskView = {
    ...exampleTask(0, "failed"),
    ...{ task: EVIL, name: EVIL, title: EVIL, error: EVIL, tags: [EVIL] },
  };
  const base = exampleOverview({ held: true });
  const some = { total: 1, tasks: [task] };
  const sessions = base.sessions.map((session) => ({
    ...session,
    screen: `\u001b[31m${EVIL}`,
    run: session.run && { ...session.run, task: EVIL, reason: EVIL, model: EVIL, phase: "attention", job: EVIL },
  }));
  const hold = { kind: "limit", since: base.status.at, until: null, message: EVIL } as const;
  return {
    overview: async () => ({
      ...{ ...base, status: { ...base.status, hold }, sessions },
      ...{ waiting: some, delayed: some, delegated: some, finished: some },
    }),
    tasks: async () => ({ total: 1, offset: 0, tasks: [task] }),
    task: async () => ({
      ...{
        ...exampleDetail("running"),
        ...task,
        state: "running",
        session: EVIL,
        reason: EVIL,
        model: EVIL,
        path: EVIL,
      },
      ...{ prompt: EVIL, result: EVIL, run_dir: EVIL, timeline: [{ at: base.status.at, type: EVIL, text: EVIL }] },
    }),
  };
}
