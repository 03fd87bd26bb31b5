import type { TaskFile } from "../core/task.ts";
import { readInbox } from "./read-inbox.ts";

/** Which tasks are with secutools, as each inbox stood when it was first asked about. */
export class TasksOut {
  readonly #names = new Map<string, Promise<ReadonlySet<string>>>();

  /** Whether a task's marker is there, and its file. An inbox that cannot be seen has neither. */
  async has({ project, name }: TaskFile): Promise<boolean> {
    const names = this.#names.get(project) ?? namesIn(project).catch(() => new Set<string>());
    this.#names.set(project, names);
    return (await names).has(name);
  }
}

async function namesIn(project: string): Promise<ReadonlySet<string>> {
  const { waiting, claimed, delegated } = await readInbox(project);
  const files = new Set([...waiting, ...claimed]);
  return new Set(delegated.filter((name) => files.has(name)));
}
