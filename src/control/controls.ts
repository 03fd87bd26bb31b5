import { QueueError } from "../core/errors.ts";
import { TASK_STATES, type TaskFile, taskLabel } from "../core/task.ts";
import { FOREVER_MS } from "../core/verdict.ts";
import { listProjects, type ProjectSet } from "../producers/projects.ts";
import type { RedisWatch } from "../queue/redis-watch.ts";
import type { TaskIndex } from "../queue/task-index.ts";
import type { TaskRow } from "../queue/task-row.ts";
import type { Takeover } from "../workers/takeover.ts";
import { addTask } from "./add.ts";
import { cancelTask } from "./cancel.ts";
import { type DelegationStatus, readDelegationStatus } from "./delegation-status.ts";
import { findTask } from "./find-task.ts";
import { type HoldView, viewHold } from "./hold-view.ts";
import { type HostView, readHosts } from "./hosts.ts";
import { lookUp, unknownTask } from "./look-up.ts";
import { type Overview, type OverviewSources, readOverview } from "./overview.ts";
import { type Repair, type RepairSources, repair } from "./repair.ts";
import { retryAll, retryTask } from "./retry.ts";
import type { ScreenView, SessionView } from "./session-view.ts";
import { readScreen, readSessions } from "./sessions.ts";
import { showTask } from "./show-task.ts";
import { readStatus, type Status } from "./status.ts";
import { viewTask } from "./task-row-view.ts";
import type {
  Commanded,
  TaskDetail,
  TaskDraft,
  TaskFilter,
  TaskLog,
  TaskPage,
  TaskStep,
  TaskView,
} from "./task-view.ts";
import { readTimeline, type TimelineSources } from "./timeline.ts";

export interface ControlsOptions extends OverviewSources, RepairSources, TimelineSources {
  readonly redis: RedisWatch;
  readonly projects: ProjectSet;
  readonly index: TaskIndex;
  readonly takeover: Takeover;
}

/** How much of what an agent said stands in the log. */
const MAX_LOG_TEXT = 10_000;
/** The last step of a task, and how long it is waited for: a crash may have come before it. */
const ENDS = ["done", "failed", "cancelled", "rejected"];
const TOLD_MS = 5_000;

/**
 * What operators can ask of the daemon, by whichever way they come. Nobody waits for a Redis that is away:
 * REDIS_UNREACHABLE is thrown at once by whatever needs it.
 */
export class Controls {
  readonly #options: ControlsOptions;

  constructor(options: ControlsOptions) {
    this.#options = options;
  }

  /** @throws {QueueError} TMUX_FAILED */
  async status(): Promise<Status> {
    return await this.#asking(async () => await readStatus(this.#options));
  }

  async delegationStatus(): Promise<DelegationStatus> {
    return await this.#asking(async () => await readDelegationStatus(this.#options.delegation));
  }

  /** @throws {QueueError} TMUX_FAILED */
  async overview(): Promise<Overview> {
    return await this.#asking(async () => await readOverview(this.#options));
  }

  async tasks(filter: TaskFilter): Promise<TaskPage> {
    return await this.#asking(async () => await this.#list(filter));
  }

  /** @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS */
  async task(text: string): Promise<TaskDetail> {
    const { board } = this.#options;
    return await this.#asking(async () => {
      const row = await this.#lookUp(text);
      return await showTask(row, board.runOf(row.id), this.#options);
    });
  }

  /** What happened to a task from the nth line on. @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS */
  async log(text: string, from: number): Promise<TaskLog> {
    return await this.#asking(async () => {
      const row = await this.#lookUp(text);
      const lines = await readTimeline(this.#options, row.id, MAX_LOG_TEXT);
      const over = isTold(row, lines);
      return { id: row.id, task: taskLabel(row.task), lines: lines.slice(from), next: lines.length, over };
    });
  }

  /** @throws {QueueError} TASK_INVALID, PROJECT_UNKNOWN, PROJECT_AMBIGUOUS */
  async add(draft: TaskDraft): Promise<Commanded> {
    return shown(await addTask(draft, this.#options.projects));
  }

  /** @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS, TASK_NOT_OVER */
  async retry(text: string): Promise<Commanded> {
    const { projects, index, redis } = this.#options;
    redis.check();
    return shown(await retryTask(text, projects, index));
  }

  /** Puts back every failed task of a project, or of all. @throws {QueueError} PROJECT_UNKNOWN */
  async retryAll(project: string | null): Promise<Commanded[]> {
    const known = await listProjects(this.#options.projects);
    const isMeant = (path: string) => project === null || path === project || path.endsWith(`/${project}`);
    const meant = known.filter(isMeant);
    if (meant.length === 0 && project !== null)
      throw new QueueError(`no watched project is called ${project}`, { code: "PROJECT_UNKNOWN" });
    return (await retryAll(meant)).map(shown);
  }

  /** @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS */
  async cancel(text: string): Promise<Commanded> {
    const { projects, queues, redis } = this.#options;
    redis.check();
    const { task } = await findTask(text, projects, queues);
    return shown({ task, path: await cancelTask(task, await queues.runsOf(task)) });
  }

  /** Holds this host's pool until somebody resumes it: agents at work go on. */
  async hold(message: string | null): Promise<HoldView | null> {
    const { hold, now } = this.#options;
    const sinceMs = now();
    await hold.raise({ kind: "manual", sinceMs, untilMs: FOREVER_MS, message: message ?? "somebody held it" });
    return viewHold(hold.current);
  }

  /** Ends the hold, whatever it was for. */
  async resume(): Promise<HoldView | null> {
    await this.#options.hold.release();
    return viewHold(this.#options.hold.current);
  }

  /** The directories of the watched projects. */
  async projects(): Promise<string[]> {
    return await listProjects(this.#options.projects);
  }

  /** The hosts on this Redis, of every workspace. */
  async hosts(): Promise<HostView[]> {
    return await this.#asking(async () => await readHosts(this.#options.hosts, this.#options.goneAfterMs));
  }

  /** Takes over the work of a host that is dead. @throws {QueueError} HOST_UNKNOWN, HOST_BUSY */
  async adopt(host: string): Promise<string[]> {
    this.#options.redis.check();
    return (await this.#options.takeover.adopt(host)).map(taskLabel);
  }

  /** Makes good what Redis has lost of the tasks that wait, run or are out. */
  async repair(): Promise<Repair[]> {
    this.#options.redis.check();
    return await repair(this.#options);
  }

  /** @throws {QueueError} TMUX_FAILED */
  async sessions(): Promise<SessionView[]> {
    return await readSessions(this.#options);
  }

  /** @throws {QueueError} SESSION_UNKNOWN, TMUX_FAILED */
  async screen(session: string): Promise<ScreenView> {
    return await readScreen(this.#options, session);
  }

  /** Whether the daemon can work now. @throws {QueueError} REDIS_UNREACHABLE, TMUX_FAILED */
  async ready(): Promise<void> {
    this.#options.redis.check();
    await this.#options.pool.look();
  }

  /** A command is left to end once it has begun. */
  async #asking<T>(question: () => Promise<T>): Promise<T> {
    return await this.#options.redis.during(question);
  }

  async #lookUp(text: string): Promise<TaskRow> {
    const { index, projects } = this.#options;
    const row = await lookUp(text, index);
    if (row === null) throw await unknownTask(text, projects);
    return row;
  }

  async #list(filter: TaskFilter): Promise<TaskPage> {
    const { state, project, route, tag, limit, offset } = filter;
    const states = state.length === 0 ? TASK_STATES : state;
    const { total, rows } = await this.#options.index.page(states, offset, limit, { project, queue: route, tag });
    return { total, offset, tasks: rows.map((row) => this.#view(row)) };
  }

  #view(row: TaskRow): TaskView {
    return viewTask(row, this.#options.board.runOf(row.id));
  }
}

/** Whether a task is over, and its log says so: that comes a moment later. */
function isTold({ finishedAtMs }: TaskRow, lines: readonly TaskStep[]): boolean {
  if (finishedAtMs === null) return false;
  const isEnd = ({ type, at }: TaskStep) => ENDS.includes(type) && Date.parse(at) >= finishedAtMs;
  return lines.some(isEnd) || Date.now() - finishedAtMs > TOLD_MS;
}

function shown({ task, path }: { task: TaskFile; path: string }): Commanded {
  return { task: taskLabel(task), path };
}
