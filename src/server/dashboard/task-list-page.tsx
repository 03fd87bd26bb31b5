import type { TaskPage } from "../../control/task-view.ts";
import { ROUTES } from "../../control/task-view.ts";
import { TASK_STATES } from "../../core/task.ts";
import { type Frame, Layout } from "./layout.tsx";
import { PostButton } from "./parts.tsx";
import { TaskRow } from "./task-rows.tsx";
import { counted, grouped } from "./words.ts";

/** What is asked for, as it stands in the address; empty = all. */
export interface ListQuery {
  readonly state: string;
  readonly project: string;
  readonly route: string;
  readonly tag: string;
  readonly offset: number;
}

export const PAGE_SIZE = 50;

export function TaskListPage(props: { frame: Frame; query: ListQuery; page: TaskPage; projects: readonly string[] }) {
  const { frame, query, page, projects } = props;
  const hasFailed = page.tasks.some(({ state }) => state === "failed");
  return (
    <Layout frame={frame} title="Tasks · ccl-queue" place="/tasks">
      <div class="list-head">
        <h1>Tasks</h1>
        <p class="total">{counted(page.total, "task")}</p>
        {!frame.readOnly && hasFailed && <RetryAll project={query.project} />}
      </div>
      <Filters query={query} projects={projects} />
      <section class="panel" aria-label="Tasks">
        {page.total === 0 ? (
          <p class="empty">No task is like that.</p>
        ) : (
          <ol class="rows">
            {page.tasks.map((task) => (
              <TaskRow task={task} nowMs={frame.nowMs} readOnly={frame.readOnly} />
            ))}
          </ol>
        )}
      </section>
      <Pager query={query} total={page.total} />
    </Layout>
  );
}

function RetryAll({ project }: { project: string }) {
  const whose = project === "" ? "" : ` of ${project}`;
  const query = project === "" ? "" : `?project=${encodeURIComponent(project)}`;
  return (
    <PostButton
      action={`/tasks/retry-failed${query}`}
      label={`Retry all failed${whose}`}
      ask={`Put every failed task${whose} back into its inbox?`}
    />
  );
}

function Filters({ query, projects }: { query: ListQuery; projects: readonly string[] }) {
  return (
    <search>
      <form method="get" action="/tasks" class="filters">
        <Choice name="state" label="State" values={TASK_STATES} chosen={query.state} />
        <Choice name="project" label="Project" values={names(projects, query.project)} chosen={query.project} />
        <Choice name="route" label="Route" values={ROUTES} chosen={query.route} />
        <label>
          <span>Tag</span>
          <input name="tag" value={query.tag} />
        </label>
        <button type="submit">Filter</button>
      </form>
    </search>
  );
}

function names(projects: readonly string[], chosen: string): string[] {
  const own = projects.map((path) => path.split("/").at(-1) ?? path);
  return [...new Set([...own, ...(chosen === "" ? [] : [chosen])])].sort();
}

function Choice(props: { name: string; label: string; values: readonly string[]; chosen: string }) {
  const { name, label, values, chosen } = props;
  return (
    <label>
      <span>{label}</span>
      <select name={name}>
        <option value="">all</option>
        {values.map((value) => (
          <option value={value} selected={value === chosen}>
            {value}
          </option>
        ))}
      </select>
    </label>
  );
}

function Pager({ query, total }: { query: ListQuery; total: number }) {
  const { offset } = query;
  if (total <= PAGE_SIZE && offset === 0) return null;
  const last = Math.min(total, offset + PAGE_SIZE);
  return (
    <nav class="pager" aria-label="More tasks">
      {offset > 0 && <a href={listUrl(query, Math.max(0, offset - PAGE_SIZE))}>Newer</a>}
      <span>
        {grouped(Math.min(total, offset + 1))}–{grouped(last)} of {grouped(total)}
      </span>
      {last < total && <a href={listUrl(query, offset + PAGE_SIZE)}>More</a>}
    </nav>
  );
}

function listUrl({ state, project, route, tag }: ListQuery, offset: number): string {
  const known = Object.entries({ state, project, route, tag }).filter(([, value]) => value !== "");
  return `/tasks?${new URLSearchParams([...known, ["offset", String(offset)]])}`;
}
