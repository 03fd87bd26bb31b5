import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { loadConfig } from "./config/config.ts";
import { readEnvironment } from "./config/environment.ts";
import { addTask } from "./control/add.ts";
import { asError, QueueError } from "./core/errors.ts";
import { type TaskEvent, TaskEvents } from "./core/events.ts";
import type { Priority } from "./core/task.ts";

export { type ErrorCode, QueueError } from "./core/errors.ts";
export type { TaskEvent } from "./core/events.ts";

/** A task to be handed in. */
export interface NewTask {
  /** The project's directory. Its inbox is made with its first task. */
  readonly project: string;
  /** What the file is to hold: the prompt, and frontmatter before it where there is any. */
  readonly text: string;
  /** The file's name, with or without `.md`. Made of the task's title or its first words unless given. */
  readonly name?: string;
  /** Takes the place of the one in the frontmatter. */
  readonly priority?: Priority;
}

/** Where a task waits. */
export interface SubmittedTask {
  /** The file's name, which has a number where the wanted one was taken. */
  readonly name: string;
  readonly path: string;
}

/**
 * Puts a task into a project's inbox, whole or not at all. No daemon needs to run: one that watches the project takes it.
 * @throws {QueueError} TASK_INVALID, PROJECT_UNKNOWN when there is no such directory, DISK_FULL, NOT_WRITABLE
 */
export async function submit({ project, ...task }: NewTask): Promise<SubmittedTask> {
  const directory = resolve(project);
  if (!(await isDirectory(directory))) throw noDirectory(directory);
  const { path } = await addTask({ ...task, project: directory }, { projectsDir: null, listed: [directory] });
  return { name: basename(path), path };
}

export interface AppOptions {
  /** The path of a configuration file, as `ccl-queue init` writes it. */
  readonly config: string;
  /** Told of each step of each task. */
  readonly onEvent?: (event: TaskEvent) => void;
  /** Told of what went wrong and is tried again; nothing is lost by it. A warning of the process unless given. */
  readonly onError?: (error: Error) => void;
}

/** The whole queue as a part of your program: what `ccl-queue start` runs. */
export interface QueueApp {
  /** Where its server answers, once started. */
  readonly url: string | null;
  /** Resolves once tasks are taken. @throws {QueueError} when a part cannot start; what has started is stopped again */
  start(): Promise<void>;
  /** Agents go on: the next start takes them over. */
  stop(): Promise<void>;
}

/** Reads a configuration and makes the queue that it describes. @throws {QueueError} CONFIG_INVALID, CONFIG_NOT_FOUND */
export async function createApp({ config, onEvent, onError = warn }: AppOptions): Promise<QueueApp> {
  // Whoever only hands in tasks needs none of it.
  const { App } = await import("./app.ts");
  const events = new TaskEvents();
  if (onEvent !== undefined) events.on(onEvent);
  return new App({
    config: loadConfig(resolve(config), readEnvironment()),
    events,
    onError: (error) => onError(asError(error)),
    onHold: () => {},
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function noDirectory(path: string): QueueError {
  return new QueueError(`${path} is no directory`, {
    code: "PROJECT_UNKNOWN",
    hint: "make it first: the task's agent works in it",
  });
}

function warn(error: Error): void {
  process.emitWarning(error);
}
