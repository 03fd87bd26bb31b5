import type { Context } from "hono";
import type { Controls } from "../../control/controls.ts";
import type { Overview } from "../../control/overview.ts";
import type { EventStreams, StreamMessage } from "../event-streams.ts";
import { type Fragment, fragment, LiveView } from "./live-view.ts";
import { overviewFragments } from "./overview-page.tsx";
import { type TaskSight, taskFragments } from "./task-page.tsx";
import { TroubleBar, troubleOf } from "./trouble.tsx";

export interface LivePagesOptions {
  readonly controls: Pick<Controls, "overview" | "task" | "sessions" | "screen">;
  readonly streams: EventStreams;
  readonly readOnly: boolean;
  readonly onError: (error: unknown) => void;
}

type Watched = Pick<LiveView<unknown>, "watch">;

/** The first page's screens move all the time. */
const OVERVIEW_MS = 1_000;
/** A task's steps come from its agent's transcript, which takes longer to read. */
const TASK_MS = 2_000;
/** Of a task that is over, only a retry is news. */
const OVER_MS = 3_000;
/** Tasks whose pages are kept although nobody watches them. */
const MAX_IDLE_VIEWS = 20;

/** The data of the pages that change by themselves, and the streams that tell browsers what changed. */
export class LivePages {
  readonly #options: LivePagesOptions;
  /** Versions count from the daemon's start. */
  readonly #boot = Date.now().toString(36);
  readonly #tasks = new Map<string, LiveView<TaskSight>>();
  readonly overview: LiveView<Overview>;

  constructor(options: LivePagesOptions) {
    const { controls, readOnly } = options;
    this.#options = options;
    this.overview = new LiveView({
      read: async () => await controls.overview(),
      render: (data) => [...overviewFragments(data, readOnly), trouble(null)],
      onFailure: (error) => [trouble(error)],
      pauseMs: () => OVERVIEW_MS,
    });
  }

  task(id: string): LiveView<TaskSight> {
    const known = this.#tasks.get(id);
    if (known !== undefined) return known;
    const idle = [...this.#tasks].filter(([, view]) => view.watchers === 0).map(([key]) => key);
    if (idle.length >= MAX_IDLE_VIEWS) for (const key of idle) this.#tasks.delete(key);
    const { controls, readOnly } = this.#options;
    const view = new LiveView<TaskSight>({
      read: async () => await readTask(controls, id),
      render: (data) => [...taskFragments(data, readOnly), trouble(null)],
      onFailure: (error) => [trouble(error)],
      pauseMs: (data) => (data === null || data.task.finished_at === null ? TASK_MS : OVER_MS),
    });
    this.#tasks.set(id, view);
    return view;
  }

  /** Where the changes of a page come from that shows this version. */
  url(version: number, task: string | null = null): string {
    const query = new URLSearchParams({ from: `${this.#boot}.${version}`, ...(task === null ? {} : { task }) });
    return `/live?${query}`;
  }

  /** The stream of changes. @throws {QueueError} EVENTS_LIMITED */
  stream(context: Context): Response {
    const task = context.req.query("task");
    const [boot = "", version = ""] = (context.req.query("from") ?? "").split(".");
    const view = task === undefined ? this.overview : this.task(task);
    return this.#options.streams.answer(context, (send) => {
      const stop = new AbortController();
      // A page of an earlier daemon may be another one by now.
      if (boot === this.#boot) this.#follow(view, Number(version), stop.signal, send).catch(this.#options.onError);
      else send({ event: "restarted", data: "" });
      return () => stop.abort();
    });
  }

  async #follow(view: Watched, from: number, signal: AbortSignal, send: (message: StreamMessage) => void) {
    for await (const { version, fragments } of view.watch(from, signal)) {
      const html = fragments.map((one) => one.html).join("");
      send({ event: "message", data: `${this.#boot}.${version}\n${html}` });
    }
  }
}

async function readTask(controls: LivePagesOptions["controls"], id: string): Promise<TaskSight> {
  const task = await controls.task(id);
  const nowMs = Date.now();
  if (task.state !== "running" || task.session === null) return { task, screen: null, attach: null, nowMs };
  const { session } = task;
  const [screen, sessions] = await Promise.all([
    // A session that just ended, or one of another host.
    controls.screen(session).catch(() => null),
    controls.sessions().catch(() => []),
  ]);
  return { task, screen, attach: sessions.find(({ name }) => name === session)?.attach ?? null, nowMs };
}

function trouble(error: unknown): Fragment {
  return fragment("trouble", <TroubleBar trouble={error === null ? null : troubleOf(error)} />);
}
