import type { Child } from "hono/jsx";
import type { Overview } from "../../control/overview.ts";
import type { TaskView } from "../../control/task-view.ts";
import type { TaskState } from "../../core/task.ts";
import { shortened } from "./cut.ts";
import { Elapsed, PostButton, PriorityBadge, TaskBadge, TaskLink, taskUrl } from "./parts.tsx";
import { dollars, grouped, tokens, took } from "./words.ts";

type Some = Overview["waiting"];

/** A part of the overview that lists tasks: the first of them, and how many more there are. */
function Panel(props: {
  id: string;
  title: string;
  some: Some;
  state: TaskState | null;
  empty: string;
  children: Child;
}) {
  const { id, title, some, state, empty, children } = props;
  const more = some.total - some.tasks.length;
  const url = state === null ? "/tasks" : `/tasks?state=${state}`;
  return (
    <section id={id} class="panel" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>
        {title} <span class="amount">{grouped(some.total)}</span>
      </h2>
      {some.total === 0 ? <p class="empty">{empty}</p> : <ol class="rows">{children}</ol>}
      {more > 0 && (
        <p class="more">
          <a href={url}>and {grouped(more)} more</a>
        </p>
      )}
    </section>
  );
}

/** What waits, in the order in which it will be run. */
export function Waiting({ some, nowMs }: { some: Some; nowMs: number }) {
  return (
    <Panel id="waiting" title="Waiting" some={some} state="waiting" empty="Nothing waits.">
      {some.tasks.map((task) => (
        <li data-key={task.id}>
          <PriorityBadge priority={task.priority} />
          <TaskLink task={task} />
          <Elapsed since={task.enqueued_at} nowMs={nowMs} />
        </li>
      ))}
    </Panel>
  );
}

/** What is tried again later; nothing where there is none. */
export function Delayed({ some, nowMs }: { some: Some; nowMs: number }) {
  if (some.total === 0) return <div id="delayed"></div>;
  return (
    <Panel id="delayed" title="Tried again later" some={some} state="delayed" empty="">
      {some.tasks.map((task) => (
        <li data-key={task.id}>
          <span class="attempts">attempt {task.attempts + 1}</span>
          <TaskLink task={task} />
          <Elapsed since={task.enqueued_at} nowMs={nowMs} />
        </li>
      ))}
    </Panel>
  );
}

/** What the platform has. */
export function Delegated({ overview, nowMs }: { overview: Overview; nowMs: number }) {
  const { delegated, status } = overview;
  if (delegated.total === 0 && !status.delegation.configured) return <div id="delegated"></div>;
  return (
    <Panel id="delegated" title="Delegated" some={delegated} state="delegated" empty="Nothing is with the platform.">
      {delegated.tasks.map((task) => (
        <li data-key={task.id}>
          <span class="provider">{task.provider}</span>
          <TaskLink task={task} />
          <Elapsed since={task.started_at ?? task.enqueued_at} nowMs={nowMs} />
        </li>
      ))}
    </Panel>
  );
}

/** What ended last, the last first. */
export function Finished({ some, nowMs, readOnly }: { some: Some; nowMs: number; readOnly: boolean }) {
  return (
    <Panel id="finished" title="Last finished" some={some} state={null} empty="Nothing is finished yet.">
      {some.tasks.slice(0, MAX_FINISHED).map((task) => (
        <TaskRow task={task} nowMs={nowMs} readOnly={readOnly} />
      ))}
    </Panel>
  );
}

const MAX_FINISHED = 12;
const ERROR_COLUMNS = 240;

/** A task in a list of all kinds. */
export function TaskRow({ task, nowMs, readOnly }: { task: TaskView; nowMs: number; readOnly: boolean }) {
  return (
    <li class="wide" data-key={task.id}>
      <TaskBadge state={task.state} />
      <span class="what">
        <TaskLink task={task} />
        {task.error !== null && task.state === "failed" && (
          <bdi class="error">{shortened(task.error, ERROR_COLUMNS)}</bdi>
        )}
      </span>
      <span class="by">{task.session ?? task.provider ?? ""}</span>
      <span class="spent">
        {task.duration_ms !== null && <span title="duration">{took(task.duration_ms)}</span>}
        {task.tokens !== null && <span title="tokens">{tokens(task.tokens.input + task.tokens.output)}</span>}
        {task.cost_usd !== null && <span title="cost">{dollars(task.cost_usd)}</span>}
      </span>
      <span class="when">
        <Elapsed since={task.finished_at ?? task.started_at ?? task.enqueued_at} nowMs={nowMs} /> ago
      </span>
      {task.state === "failed" && !readOnly && (
        <PostButton action={`${taskUrl(task.id)}/retry`} label="Retry" about={task.task} />
      )}
    </li>
  );
}
