import type { SESSION_STATES } from "../../control/session-view.ts";
import type { TaskView } from "../../control/task-view.ts";
import { notableReason } from "../../core/route.ts";
import type { Priority, TaskState } from "../../core/task.ts";
import { shortened } from "./cut.ts";
import { coarse, fine } from "./words.ts";

/** What a state is shown as: a picture (of dashboard.css), and a tone, which is a colour. The word itself stands beside it. */
interface Look {
  readonly icon: string;
  readonly tone: "good" | "bad" | "warn" | "live" | "quiet";
}

type SessionState = (typeof SESSION_STATES)[number];

const TASK_LOOKS: Readonly<Record<TaskState, Look>> = {
  waiting: { icon: "clock", tone: "quiet" },
  delayed: { icon: "again", tone: "warn" },
  running: { icon: "play", tone: "live" },
  delegated: { icon: "away", tone: "live" },
  done: { icon: "done", tone: "good" },
  failed: { icon: "failed", tone: "bad" },
  cancelled: { icon: "cancelled", tone: "quiet" },
};

const SESSION_LOOKS: Readonly<Record<SessionState, Look>> = {
  idle: { icon: "ring", tone: "quiet" },
  busy: { icon: "play", tone: "live" },
  cooling: { icon: "clock", tone: "warn" },
  "in use": { icon: "person", tone: "warn" },
  missing: { icon: "cancelled", tone: "quiet" },
};

export const ATTENTION: Look = { icon: "alert", tone: "bad" };

/** A word with its picture in its colour. */
export function Badge({ look, word }: { look: Look; word: string }) {
  return (
    <span class={`badge ${look.tone}`}>
      <i class={`i ${look.icon}`}></i>
      {word}
    </span>
  );
}

export function TaskBadge({ state }: { state: TaskState }) {
  return <Badge look={TASK_LOOKS[state]} word={state} />;
}

export function SessionBadge({ state }: { state: SessionState }) {
  return <Badge look={SESSION_LOOKS[state]} word={state} />;
}

export function PriorityBadge({ priority }: { priority: Priority }) {
  return <span class={`priority ${priority}`}>{priority}</span>;
}

/** How long ago; the browser's script keeps it up to date, by the second where it is `exact`. */
export function Elapsed({ since, nowMs, exact = false }: { since: string; nowMs: number; exact?: boolean }) {
  const elapsedMs = Math.max(0, nowMs - Date.parse(since));
  return (
    <time datetime={whole(since)} {...(exact ? { "data-t": "fine" } : {})}>
      {exact ? fine(elapsedMs) : coarse(elapsedMs)}
    </time>
  );
}

/** Without the milliseconds, as nobody looks so closely. */
function whole(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

export function Remaining({ until, nowMs }: { until: string; nowMs: number }) {
  return (
    <time datetime={until} data-t="until">
      {fine(Math.max(0, Date.parse(until) - nowMs))}
    </time>
  );
}

/** A point in time, which the browser's script shows by the reader's own clock. */
export function Clock({ at }: { at: string }) {
  return (
    <time datetime={at} data-t="clock">
      {at.slice(11, 19)}
    </time>
  );
}

export function taskUrl(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

/** What a list shows of a title, a name or a reason; the task's own page has all of it. */
const TITLE_COLUMNS = 120;
export const REASON_COLUMNS = 80;
export const FILE_COLUMNS = 60;

/** A task by its title or its file, and its project: each in its own direction, as a stranger wrote it. */
export function TaskLink({ task }: { task: Pick<TaskView, "id" | "task" | "title" | "route" | "reason"> }) {
  const reason = notableReason(task);
  return (
    <span class="task">
      <a href={taskUrl(task.id)}>
        <bdi>{shortened(task.title ?? task.task, TITLE_COLUMNS)}</bdi>
      </a>
      {task.title !== null && <bdi class="file">{shortened(task.task, FILE_COLUMNS)}</bdi>}
      {reason !== null && <small class="reason">{shortened(reason, REASON_COLUMNS)}</small>}
    </span>
  );
}

/** A command to type, and a button that copies it. */
export function Command({ text }: { text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" class="copy" data-copy={text} hidden>
        Copy
      </button>
    </span>
  );
}

/** A button that changes something. `ask` = what to confirm first, where scripts run. */
export function PostButton(props: {
  action: string;
  label: string;
  kind?: "primary" | "danger" | "plain";
  ask?: string;
  /** For those who hear the page: what the label stands beside. */
  about?: string;
}) {
  const { action, label, kind = "plain", ask, about } = props;
  return (
    <form method="post" action={action} {...(ask === undefined ? {} : { "data-ask": ask })}>
      <button type="submit" class={kind}>
        {label}
        {about !== undefined && <span class="unseen"> {about}</span>}
      </button>
    </form>
  );
}
