import { commanded } from "../control/task-view.ts";
import type { Priority } from "../core/task.ts";
import { readDraft } from "./add-text.ts";
import { cleanLine } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { EXIT, UsageError } from "./exit.ts";
import { printJson, printLines } from "./print.ts";
import { withProgress } from "./progress.ts";
import { projectAround, projectNamed } from "./project.ts";
import { reportEnd, waitUntilOver } from "./wait-until-over.ts";

export interface AddOptions {
  readonly config?: string;
  readonly priority?: Priority;
  readonly project?: string;
  readonly name?: string;
  readonly wait?: true;
  readonly json?: true;
}

/** `ccl-queue add`: puts a task into a project's inbox. Returns the exit code. */
export async function add(words: readonly string[], options: AddOptions): Promise<number> {
  if (words.length === 0) throw new UsageError("say what is to be done: text, a file, or - for stdin");
  const daemon = await daemonOf(options.config);
  const { text, fileName } = await readDraft(words);
  const project = projectNamed(options.project) ?? (await projectAround(process.cwd(), daemon.config)) ?? undefined;
  const name = options.name ?? fileName ?? undefined;
  // JSON has no place for what is undefined.
  const body = { text, name, priority: options.priority, project };
  const added = await withProgress("adding the task", () => daemon.post("/api/tasks", commanded, { body }));
  const json = options.json === true;
  if (!json) printLines([cleanLine(`added ${added.task}; now ${added.path}`)]);
  if (options.wait) return reportEnd(await waitUntilOver(daemon, added.path), json);
  if (json) printJson(added);
  return EXIT.ok;
}
