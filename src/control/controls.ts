import { type TaskFile, taskLabel } from "../core/task.ts";
import type { ProjectSet } from "../producers/projects.ts";
import { cancelTask } from "./cancel.ts";
import { type DelegationStatus, readDelegationStatus } from "./delegation-status.ts";
import { findTask } from "./find-task.ts";
import { readStatus, type Status, type StatusSources } from "./status.ts";

export interface ControlsOptions extends StatusSources {
  readonly projects: ProjectSet;
}

/** What became of a command on one task. */
export interface Commanded {
  /** The project's name and the file's: `site/fix.md`. */
  readonly task: string;
  readonly path: string;
}

/** What operators can ask of the daemon, by whichever way they come. */
export class Controls {
  readonly #options: ControlsOptions;

  constructor(options: ControlsOptions) {
    this.#options = options;
  }

  async status(): Promise<Status> {
    return await readStatus(this.#options);
  }

  async delegationStatus(): Promise<DelegationStatus> {
    return await readDelegationStatus(this.#options.delegation);
  }

  /** @throws {QueueError} TASK_UNKNOWN, TASK_AMBIGUOUS */
  async cancel(text: string): Promise<Commanded> {
    const { projects, queues } = this.#options;
    const { task } = await findTask(text, projects, queues);
    return shown(task, await cancelTask(task));
  }
}

function shown(task: TaskFile, path: string): Commanded {
  return { task: taskLabel(task), path };
}
