import { basename } from "node:path";

/** Each label is a series for ever, so there is an end to them. */
const MAX_PROJECTS = 200;
const OTHERS = "(others)";

/** Projects as labels: by their own names, and from the 201st on all in one. */
export class ProjectLabels {
  readonly #known = new Set<string>();

  of(project: string): string {
    const name = basename(project);
    if (this.#known.size < MAX_PROJECTS) this.#known.add(name);
    return this.#known.has(name) ? name : OTHERS;
  }
}
