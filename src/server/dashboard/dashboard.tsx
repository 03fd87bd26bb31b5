import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Controls } from "../../control/controls.ts";
import { ROUTES, taskFilter } from "../../control/task-view.ts";
import { TASK_STATES } from "../../core/task.ts";
import type { EventStreams } from "../event-streams.ts";
import { type Problem, problemOf } from "../problem.ts";
import type { Typed } from "./add-form.tsx";
import { assetRoutes } from "./assets.ts";
import { takeFlash } from "./flash.ts";
import { formRoutes } from "./forms.ts";
import type { Frame } from "./layout.tsx";
import { LivePages } from "./live-pages.tsx";
import { OverviewPage } from "./overview-page.tsx";
import { ProblemPage } from "./problem-page.tsx";
import { PAGE_SIZE, TaskListPage } from "./task-list-page.tsx";
import { TaskPage } from "./task-page.tsx";

type Reads = "overview" | "tasks" | "task" | "sessions" | "screen";
type Commands = "add" | "retry" | "retryAll" | "cancel" | "hold" | "resume";

export interface DashboardOptions {
  readonly controls: Pick<Controls, Reads | Commands>;
  /** The directories of the watched projects. */
  readonly projects: () => Promise<readonly string[]>;
  readonly streams: EventStreams;
  readonly workspace: string;
  /** Whether buttons that change something are left out. To refuse what they send is the API's. */
  readonly readOnly: boolean;
  /** Whether there is a login to end. */
  readonly login: boolean;
  /** Told of what nobody foresaw. */
  readonly onError: (error: unknown) => void;
}

export interface Dashboard {
  readonly pages: Hono;
  /** Shows a person what is wrong with a request. */
  readonly problemPage: (context: Context, problem: Problem) => Response | Promise<Response>;
}

/** What a page may be old when somebody asks for it; after a button, it has to be new. */
const MAX_AGE_MS = 1_000;

/** The pages for people: plain HTML that works without scripts; those that run bring what changes. */
export function createDashboard(options: DashboardOptions): Dashboard {
  const { onError } = options;
  const pages = new Hono();
  const live = new LivePages(options);
  const parts = new Pages(options, live);
  pages.route("/", assetRoutes());
  pages.get("/", async (context) => await parts.overview(context, await parts.begun(context)));
  pages.get("/live", (context) => live.stream(context));
  pages.get("/tasks", async (context) => await parts.list(context));
  pages.get("/tasks/:task", async (context) => await parts.task(context, context.req.param("task")));
  pages.route(
    "/",
    formRoutes(options.controls, async (context, typed) => await parts.overview(context, typed)),
  );
  const problemPage = async (context: Context, problem: Problem) => await parts.problem(context, problem);
  pages.onError(async (error, context) => {
    const problem = problemOf(error);
    if (problem.status === 500) onError(error);
    return await problemPage(context, problem);
  });
  return { pages, problemPage };
}

const text = z.string().catch("");
/** What an address may ask for; what makes no sense is left out. */
const listQuery = z.object({
  state: z.enum(["", ...TASK_STATES]).catch(""),
  project: text,
  route: z.enum(["", ...ROUTES]).catch(""),
  tag: text,
  offset: z.coerce.number().int().min(0).catch(0),
});

class Pages {
  readonly #options: DashboardOptions;
  readonly #live: LivePages;

  constructor(options: DashboardOptions, live: LivePages) {
    this.#options = options;
    this.#live = live;
  }

  /** The form as a task's page begins it: for its project, or with its prompt, too. */
  async begun(context: Context): Promise<Typed | null> {
    const { project, like } = context.req.query();
    const filled = { priority: "", text: "", trouble: null };
    if (like === undefined) return project === undefined ? null : { ...filled, project };
    const task = await this.#options.controls.task(like);
    return { ...filled, project: task.project, text: task.prompt ?? "" };
  }

  /** `typed` = what stands in the form. */
  async overview(context: Context, typed: Typed | null): Promise<Response> {
    const frame = this.#frame(context);
    const maxAgeMs = frame.flash === null ? MAX_AGE_MS : 0;
    const [{ data, version }, projects] = await Promise.all([
      this.#live.overview.snapshot(maxAgeMs),
      this.#options.projects(),
    ]);
    const page = (
      <OverviewPage frame={frame} overview={data} live={this.#live.url(version)} projects={projects} typed={typed} />
    );
    return await context.html(page, typed?.trouble ? 422 : 200);
  }

  async task(context: Context, text: string): Promise<Response> {
    const frame = this.#frame(context);
    const { id } = await this.#options.controls.task(text);
    const { data, version } = await this.#live.task(id).snapshot(frame.flash === null ? MAX_AGE_MS : 0);
    return await context.html(<TaskPage frame={frame} sight={data} live={this.#live.url(version, id)} />);
  }

  async list(context: Context): Promise<Response> {
    const query = listQuery.parse(context.req.query());
    const { state, project, route, tag, offset } = query;
    const filter = taskFilter.parse({
      state: state === "" ? [] : [state],
      ...(project === "" ? {} : { project }),
      ...(route === "" ? {} : { route }),
      ...(tag === "" ? {} : { tag }),
      ...{ limit: PAGE_SIZE, offset },
    });
    const [page, projects] = await Promise.all([this.#options.controls.tasks(filter), this.#options.projects()]);
    return await context.html(
      <TaskListPage frame={this.#frame(context)} query={query} page={page} projects={projects} />,
    );
  }

  async problem(context: Context, problem: Problem): Promise<Response> {
    return await context.html(<ProblemPage frame={this.#frame(context)} problem={problem} />, problem.status);
  }

  #frame(context: Context): Frame {
    const { workspace, readOnly, login } = this.#options;
    return { workspace, readOnly, login, nowMs: Date.now(), flash: takeFlash(context) };
  }
}
