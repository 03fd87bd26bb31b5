import { PRIORITIES } from "../../core/task.ts";
import type { Trouble } from "./trouble.tsx";
import { TroubleNote } from "./trouble.tsx";

/** What stands in the form already, and what was wrong with it. */
export interface Typed {
  readonly project: string;
  readonly priority: string;
  readonly text: string;
  readonly trouble: Trouble | null;
}

/** Where a task is written. `typed` = what comes back because it could not be added, or what a task's page begins. */
export function AddForm({ projects, typed }: { projects: readonly string[]; typed: Typed | null }) {
  return (
    <section id="add" class="panel" aria-labelledby="add-title">
      <h2 id="add-title">Add a task</h2>
      {typed !== null && typed.trouble !== null && <TroubleNote trouble={typed.trouble} />}
      <form method="post" action="/tasks" class="add">
        <label>
          <span>Project</span>
          <select name="project" required>
            {typed !== null && !projects.includes(typed.project) && (
              <option value="" selected>
                choose one
              </option>
            )}
            {projects.map((project) => (
              <option value={project} selected={typed?.project === project}>
                {nameOf(project, projects)}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Priority</span>
          <select name="priority">
            <option value="">as the text says</option>
            {PRIORITIES.map((priority) => (
              <option value={priority} selected={typed?.priority === priority}>
                {priority}
              </option>
            ))}
          </select>
        </label>
        <label class="text">
          <span>Task</span>
          <textarea
            name="text"
            rows={5}
            required
            spellcheck={true}
            placeholder="What the agent is to do, with or without frontmatter"
          >
            {typed?.text ?? ""}
          </textarea>
        </label>
        <button type="submit" class="primary">
          Add
        </button>
      </form>
      {projects.length === 0 && <p class="empty">No project is watched yet.</p>}
    </section>
  );
}

/** A project's own name, or its whole path where two have the same. */
function nameOf(project: string, projects: readonly string[]): string {
  const name = (path: string) => path.split("/").at(-1) ?? path;
  return projects.filter((other) => name(other) === name(project)).length === 1 ? name(project) : project;
}
