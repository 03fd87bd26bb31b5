import type { HookEvent } from "./hook-event.ts";

/** The turns of a Claude session, by the ids of their prompts: an event that is kept twice must not bring one back. */
export class Turns {
  readonly #known = new Set<string>();
  #current: string | undefined;

  /** Whether an event was taken in before and says nothing new. Takes it in. */
  isRepeated(event: HookEvent): boolean {
    if (event.hook_event_name !== "UserPromptSubmit" && event.hook_event_name !== "Stop") return false;
    const { hook_event_name: name, prompt_id: turn } = event;
    if (turn === undefined) return false;
    const isKnown = this.#known.has(`${name} ${turn}`);
    this.#known.add(`${name} ${turn}`);
    // A turn may stop more than once: a project's own hook can make the agent go on.
    if (name === "Stop") return isKnown && turn !== this.#current;
    if (!isKnown) this.#current = turn;
    return isKnown;
  }
}
