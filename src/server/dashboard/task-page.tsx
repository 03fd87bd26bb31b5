import type { Child } from "hono/jsx";
import type { ScreenView } from "../../control/session-view.ts";
import type { TaskDetail } from "../../control/task-view.ts";
import { formatDuration } from "../../core/duration.ts";
import { stripAnsi } from "./ansi.ts";
import { type Frame, Layout } from "./layout.tsx";
import { type Fragment, fragment } from "./live-view.ts";
import { Command, Elapsed, PostButton, PriorityBadge, TaskBadge, taskUrl } from "./parts.tsx";
import { WholeScreen } from "./screen.tsx";
import { Timeline } from "./timeline.tsx";
import { dollars, tokens } from "./words.ts";

/** A task, and while it runs in a session of this host also what stands there. */
export interface TaskSight {
  readonly task: TaskDetail;
  readonly screen: ScreenView | null;
  readonly attach: string | null;
  readonly nowMs: number;
}

export function TaskPage({ frame, sight, live }: { frame: Frame; sight: TaskSight; live: string }) {
  const { task, screen, nowMs } = sight;
  return (
    <Layout frame={frame} title={`${task.title ?? task.task} · ccl-queue`} live={live}>
      <TaskHead sight={sight} readOnly={frame.readOnly} />
      <div class="columns task-columns">
        <div class="column">
          <Outcome task={task} />
          <LiveScreen screen={screen} />
          <Timeline steps={task.timeline} />
        </div>
        <div class="column">
          <Facts task={task} nowMs={nowMs} />
          <Prompt task={task} />
        </div>
      </div>
    </Layout>
  );
}

/** The parts of a task's page that change by themselves. */
export function taskFragments(sight: TaskSight, readOnly: boolean): Fragment[] {
  const { task, screen, nowMs } = sight;
  return [
    fragment("head", <TaskHead sight={sight} readOnly={readOnly} />),
    fragment("outcome", <Outcome task={task} />),
    fragment("screen", <LiveScreen screen={screen} />),
    fragment("facts", <Facts task={task} nowMs={nowMs} />),
    fragment("prompt", <Prompt task={task} />),
    fragment("timeline", <Timeline steps={task.timeline} />),
  ];
}

function TaskHead({ sight, readOnly }: { sight: TaskSight; readOnly: boolean }) {
  const { task, attach } = sight;
  const isOver = task.finished_at !== null;
  return (
    <header id="head" class="task-head" data-title={`${task.state}: ${task.title ?? task.task} · ccl-queue`}>
      <p class="facts">
        <TaskBadge state={task.state} />
        <PriorityBadge priority={task.priority} />
        {task.tags.map((tag) => (
          <a class="tag" href={`/tasks?tag=${encodeURIComponent(tag)}`}>
            <bdi>{tag}</bdi>
          </a>
        ))}
      </p>
      <h1>
        <bdi>{task.title ?? task.task}</bdi>
      </h1>
      <p class="file">
        <bdi>{task.task}</bdi>
      </p>
      <div class="actions">
        {!readOnly && isOver && <PostButton action={`${taskUrl(task.id)}/retry`} label="Retry" kind="primary" />}
        {!readOnly && !isOver && (
          <PostButton
            action={`${taskUrl(task.id)}/cancel`}
            label="Cancel"
            kind="danger"
            ask="Cancel this task? It goes to failed/, from where it can be retried."
          />
        )}
        {!readOnly && <AddLinks task={task} />}
        {attach !== null && <Command text={attach} />}
        <a href={boardUrl(task)}>Show the job</a>
      </div>
    </header>
  );
}

/** To the form, where tasks are written. */
function AddLinks({ task: { id, project, prompt } }: { task: TaskDetail }) {
  return (
    <>
      <a href={`/?project=${encodeURIComponent(project)}#add`}>Add a task</a>
      {prompt !== null && <a href={`/?like=${encodeURIComponent(id)}#add`}>Add one like it</a>}
    </>
  );
}

/** The job in Bull Board. */
function boardUrl({ id, route }: TaskDetail): string {
  return `/queues/queue/${route ?? "inbox"}/${encodeURIComponent(id)}`;
}

function Outcome({ task }: { task: TaskDetail }) {
  if (task.error === null && task.result === null) return <div id="outcome"></div>;
  return (
    <div id="outcome">
      {task.error !== null && (
        <section class="panel wrong" aria-labelledby="error-title">
          <h2 id="error-title">{task.state === "failed" ? "Why it failed" : "What went wrong"}</h2>
          <pre class="text">{stripAnsi(task.error)}</pre>
        </section>
      )}
      {task.result !== null && (
        <section class="panel" aria-labelledby="result-title">
          <h2 id="result-title">Result</h2>
          <pre class="text">{stripAnsi(task.result)}</pre>
        </section>
      )}
    </div>
  );
}

function LiveScreen({ screen }: { screen: ScreenView | null }) {
  if (screen === null) return <div id="screen"></div>;
  return (
    <section id="screen" class="panel" aria-labelledby="screen-title">
      <h2 id="screen-title">Screen of {screen.session}</h2>
      <WholeScreen text={screen.text} about={`The screen of ${screen.session}`} />
    </section>
  );
}

function Prompt({ task }: { task: TaskDetail }) {
  return (
    <section id="prompt" class="panel" aria-labelledby="prompt-title">
      <h2 id="prompt-title">Prompt</h2>
      {task.prompt === null ? (
        <p class="empty">The task's file is gone or cannot be read.</p>
      ) : (
        <pre class="text">{stripAnsi(task.prompt)}</pre>
      )}
    </section>
  );
}

function Facts({ task, nowMs }: { task: TaskDetail; nowMs: number }) {
  const { started_at, finished_at } = task;
  return (
    <section id="facts" class="panel" aria-labelledby="facts-title">
      <h2 id="facts-title">Facts</h2>
      <dl>
        <Fact name="Route">
          {task.route === null ? "not routed yet" : (task.provider ?? task.route)}
          {task.reason !== null && <small class="reason"> {task.reason}</small>}
        </Fact>
        {task.session !== null && <Fact name="Session">{task.session}</Fact>}
        {task.model !== null && <Fact name="Model">{task.model}</Fact>}
        <Fact name="Attempts">{task.attempts}</Fact>
        <Fact name="Queued">
          <Elapsed since={task.enqueued_at} nowMs={nowMs} /> ago
        </Fact>
        {started_at !== null && (
          <Fact name="Started">
            <Elapsed since={started_at} nowMs={nowMs} /> ago
          </Fact>
        )}
        {finished_at !== null && (
          <Fact name="Ended">
            <Elapsed since={finished_at} nowMs={nowMs} /> ago
          </Fact>
        )}
        {task.duration_ms !== null && <Fact name="Took">{formatDuration(task.duration_ms)}</Fact>}
        {task.tokens !== null && (
          <Fact name="Tokens">
            {tokens(task.tokens.input)} in, {tokens(task.tokens.output)} out
          </Fact>
        )}
        {task.cost_usd !== null && <Fact name="Cost">{dollars(task.cost_usd)}</Fact>}
        <Fact name="Id">
          <code>{task.id}</code>
        </Fact>
        {task.path !== null && (
          <Fact name="File">
            <code>{task.path}</code>
          </Fact>
        )}
        {task.run_dir !== null && (
          <Fact name="Run">
            <code>{task.run_dir}</code>
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children?: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
