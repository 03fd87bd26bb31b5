import { access } from "node:fs/promises";
import { basename } from "node:path";
import type { z } from "zod";
import { type TaskView, taskPage } from "../../control/task-view.ts";
import { inboxDir } from "../../ledger/layout.ts";
import { listProjects } from "../../producers/projects.ts";
import { cleanLine } from "../clean.ts";
import { askDaemon } from "../daemon-client.ts";
import { configOf } from "../find-config.ts";
import { hostList } from "../hosts.ts";
import { sessionList } from "../sessions.ts";
import type { Candidate } from "./candidate.ts";

/** Whoever has pressed Tab waits. */
const TIMEOUT_MS = 1_000;
const MAX_TASKS = "200";
/** What no shell takes for anything but itself. */
const SAFE = /^[\w./@%+-]+$/;
/** The states of the tasks that a verb is good for; for all others, any. */
const STATES: Readonly<Record<string, readonly TaskView["state"][]>> = {
  retry: ["failed", "cancelled"],
  cancel: ["waiting", "delayed", "running", "delegated"],
  attach: ["running"],
};

/** The tasks that a verb can be given: by their names, or by their ids where a name needs quoting. */
export async function taskNames(config: string | undefined, verb: string): Promise<Candidate[]> {
  const query = new URLSearchParams((STATES[verb] ?? []).map((state): [string, string] => ["state", state]));
  query.append("limit", MAX_TASKS);
  const page = await ask(config, `/api/tasks?${query}`, taskPage);
  return (page?.tasks ?? []).map(({ id, task, state, title }) =>
    SAFE.test(task)
      ? candidate(task, title === null ? state : `${state}: ${title}`)
      : candidate(id, `${state}: ${task}`),
  );
}

/** The sessions that exist. */
export async function sessionNames(config: string | undefined): Promise<Candidate[]> {
  const found = await ask(config, "/api/sessions", sessionList);
  return (found?.sessions ?? [])
    .filter(({ state }) => state !== "missing")
    .map(({ name, state, run }) => candidate(name, run === null ? state : `${state}: ${run.task}`));
}

/** The hosts that are not heard of any more. */
export async function goneHostNames(config: string | undefined): Promise<Candidate[]> {
  const found = await ask(config, "/api/hosts", hostList);
  return (found?.hosts ?? [])
    .filter(({ state }) => state === "gone")
    .map(({ host, workspace }) => candidate(host, workspace));
}

/** The projects that have an inbox. */
export async function projectNames(config: string | undefined): Promise<Candidate[]> {
  const found = await configOf(config).catch(() => null);
  if (found === null) return [];
  const { projectsDir, dedicated } = found;
  const projects = await listProjects({ projectsDir, listed: dedicated.map(({ project }) => project) });
  const withInbox = await Promise.all(
    projects.map(
      async (project) =>
        await access(inboxDir(project)).then(
          () => [project],
          () => [],
        ),
    ),
  );
  return withInbox.flat().flatMap((project) => {
    const name = basename(project);
    return SAFE.test(name) ? [candidate(name, project)] : [];
  });
}

function candidate(value: string, about: string): Candidate {
  return { value, about: cleanLine(about) };
}

/** What the daemon says, null when it does not. */
async function ask<T>(config: string | undefined, path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const { stateDir } = await configOf(config);
    return await askDaemon(stateDir, "GET", path, schema, { timeoutMs: TIMEOUT_MS });
  } catch {
    // Nothing can be said in the middle of somebody's command line.
    return null;
  }
}
