import { realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { QueueError } from "../core/errors.ts";
import type { TaskFile } from "../core/task.ts";
import { hasInbox } from "../ledger/claim.ts";
import { isTaskName } from "../ledger/layout.ts";
import { parseTask } from "../ledger/parse-task.ts";
import { withPriority, writeTask } from "../ledger/write-task.ts";
import { listProjects, type ProjectSet } from "../producers/projects.ts";
import type { TaskDraft } from "./task-view.ts";

/** A name that is given may be as long as any task's. */
const MAX_NAME_BYTES = 240;
/** A name that is made up is for people to read. */
const MAX_NAME_LENGTH = 60;

/**
 * Puts a task into a project's inbox, as if somebody had dropped its file there.
 * @throws {QueueError} TASK_INVALID, PROJECT_UNKNOWN, PROJECT_AMBIGUOUS
 */
export async function addTask(draft: TaskDraft, projects: ProjectSet): Promise<{ task: TaskFile; path: string }> {
  // A header that cannot be read cannot be given a priority either.
  const asGiven = read(draft.text);
  const text = draft.priority === undefined ? draft.text : withPriority(draft.text, draft.priority);
  const { header, prompt } = draft.priority === undefined ? asGiven : read(text);
  const project = await findProject(draft.project, projects);
  const name = draft.name === undefined ? nameFrom(header.title ?? prompt) : givenName(draft.name);
  const path = await writeTask({ project, name }, text);
  return { task: { project, name: basename(path) }, path };
}

function read(text: string) {
  const parsed = parseTask(Buffer.from(text));
  if (parsed.ok) return parsed;
  throw invalid(parsed.reason, "mend it and add it again; nothing was written");
}

async function findProject(text: string | undefined, projects: ProjectSet): Promise<string> {
  const known = await listProjects(projects);
  const isAsked = await asked(text);
  const found = known.filter(isAsked);
  const open = await withInbox(found);
  const candidates = open.length > 0 || text === undefined ? open : await directories(found);
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined && text !== undefined) {
    throw new QueueError(`no watched project is called ${text}`, {
      code: "PROJECT_UNKNOWN",
      hint: "name a directory in dispatcher.projects_dir, or one of pool.dedicated",
    });
  }
  const names = candidates.map((project) => (text === undefined ? basename(project) : project)).join(", ");
  throw new QueueError(
    text === undefined ? `which project: ${names || "there is none"}?` : `${text} may mean ${names}`,
    {
      code: "PROJECT_AMBIGUOUS",
      hint: "name the project, or its whole path",
    },
  );
}

async function asked(text: string | undefined): Promise<(project: string) => boolean> {
  if (text === undefined) return () => true;
  const real = text.includes("/") ? await realpath(text).catch(() => text) : null;
  return (project) => project === text || project === real || basename(project) === text;
}

async function withInbox(projects: readonly string[]): Promise<string[]> {
  const open = await Promise.all(projects.map((project) => hasInbox({ project, name: "" })));
  return projects.filter((_, index) => open[index]);
}

/** A project that is named gets its inbox with its first task. */
async function directories(paths: readonly string[]): Promise<string[]> {
  const stats = await Promise.all(paths.map((path) => stat(path).catch(() => null)));
  return paths.filter((_, index) => stats[index]?.isDirectory());
}

function givenName(text: string): string {
  const name = text.endsWith(".md") ? text : `${text}.md`;
  const bytes = Buffer.from(name);
  const isPlain = isTaskName(name) && !name.includes("/") && !/\p{Cc}/u.test(name);
  if (isPlain && bytes.toString() === name && bytes.length <= MAX_NAME_BYTES) return name;
  throw invalid(`${JSON.stringify(text)} cannot be a task's name`, "give a short one without a slash, or none");
}

/** The first words of a text as a file's name: `Fix the *login* test!` → `fix-the-login-test.md`. */
function nameFrom(text: string): string {
  const words = text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
  let name = "";
  for (const word of words) {
    if (name !== "" && Buffer.byteLength(`${name}-${word}`) > MAX_NAME_LENGTH) break;
    name = name === "" ? [...word].slice(0, MAX_NAME_LENGTH / 4).join("") : `${name}-${word}`;
  }
  return `${name || "task"}.md`;
}

function invalid(reason: string, hint: string): QueueError {
  return new QueueError(`the task cannot be taken: ${reason}`, { code: "TASK_INVALID", hint });
}
