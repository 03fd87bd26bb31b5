import { z } from "zod";
import { PROVIDERS } from "../core/route.ts";
import { PRIORITIES, TASK_STATES } from "../core/task.ts";

/** Who does a task. */
export const ROUTES = ["local", "delegated"] as const;

/** A provider of the platform. A daemon of another version may know more, and the rest of its answer is read. */
export const providerView = z.enum(PROVIDERS).or(z.string());

const time = z.iso.datetime();
const ms = z.int().min(0);
const count = z.int().min(0);

/** A task in a list. All times are ISO 8601, durations in ms; null = not known, or not so far. */
export const taskView = z.object({
  id: z.string(),
  /** The project's own name and the file's: `site/fix.md`. */
  task: z.string(),
  /** The project's directory. */
  project: z.string(),
  /** The file's name in the inbox. */
  name: z.string(),
  title: z.string().nullable(),
  state: z.enum(TASK_STATES),
  priority: z.enum(PRIORITIES),
  tags: z.array(z.string()).readonly(),
  route: z.enum(ROUTES).nullable(),
  provider: providerView.nullable(),
  /** Why it went where it is. */
  reason: z.string().nullable(),
  /** Attempts begun since the task was last put into the inbox. */
  attempts: count,
  enqueued_at: time,
  started_at: time.nullable(),
  finished_at: time.nullable(),
  session: z.string().nullable(),
  model: z.string().nullable(),
  /** What failed it. */
  error: z.string().nullable(),
  /** The task's file: in the inbox, or where it was finalised. */
  path: z.string().nullable(),
  duration_ms: ms.nullable(),
  tokens: z.object({ input: count, output: count }).nullable(),
  cost_usd: z.number().min(0).nullable(),
});
export type TaskView = Readonly<z.infer<typeof taskView>>;

/** The answer of `GET /api/tasks`: one page, and how many match in all. */
export const taskPage = z.object({ total: count, offset: count, tasks: z.array(taskView) });
export type TaskPage = Readonly<z.infer<typeof taskPage>>;

/** Which tasks are listed. */
export const taskFilter = z.object({
  /** None given = all of them. */
  state: z.array(z.enum(TASK_STATES)).default([]),
  /** The project's own name, or its directory. */
  project: z.string().optional(),
  route: z.enum(ROUTES).optional(),
  tag: z.string().optional(),
  limit: z.int().min(1).max(10_000).default(100),
  offset: count.default(0),
});
export type TaskFilter = Readonly<z.infer<typeof taskFilter>>;

/** One step on a task's way: the types of the daemon's events, then `tool`, `said` and `result` of its agent. */
const taskStep = z.object({ at: time, type: z.string(), text: z.string() });
export type TaskStep = Readonly<z.infer<typeof taskStep>>;

/** The answer of `GET /api/tasks/:id`: the task, its prompt and result, and what happened to it so far. */
export const taskDetail = z.object({
  ...taskView.shape,
  /** What the agent is told; null when the file is gone or cannot be read. */
  prompt: z.string().nullable(),
  /** The agent's last message or the platform's result. */
  result: z.string().nullable(),
  timeline: z.array(taskStep),
  /** The directory of its last run on this host, as long as it is kept. */
  run_dir: z.string().nullable(),
});
export type TaskDetail = Readonly<z.infer<typeof taskDetail>>;

/** The answer of `GET /api/tasks/:id/log`: what happened from line `from` on, and where the next part begins. */
export const taskLog = z.object({
  id: z.string(),
  task: z.string(),
  lines: z.array(taskStep),
  next: count,
  /** Nothing is added to it any more. */
  over: z.boolean(),
});
export type TaskLog = Readonly<z.infer<typeof taskLog>>;

/** What `POST /api/tasks` takes: a task as one would write its file. */
export const taskDraft = z.object({
  /** The project's own name, or its directory; may be left out where there is one only. */
  project: z.string().optional(),
  /** The text of the file, with or without frontmatter. */
  text: z.string().min(1),
  /** The file's name; else it is made of the title or of the first words. */
  name: z.string().optional(),
  /** Overrides the frontmatter's. */
  priority: z.enum(PRIORITIES).optional(),
});
export type TaskDraft = Readonly<z.infer<typeof taskDraft>>;

/** What became of a command on one task: its name, `site/fix.md`, and where its file is now. */
export const commanded = z.object({ task: z.string(), path: z.string() });
export type Commanded = Readonly<z.infer<typeof commanded>>;
