import { note } from "./jsonl.js";

/**
 * A text that the author has put into an inbox. Each text has a token of its own, also where it takes another's place.
 * @typedef {import("./plans.js").Plan & {
 *   token: string, project: string, names: string[], droppedAt: number, canBeAbsent: boolean, canBeCancelled: boolean,
 *   removedAt: number | null, retriedAt: number[]
 * }} Drop names: under which it was in the inbox, the last one last; canBeAbsent: no trace of it need be left;
 * canBeCancelled: the queue was asked to end it, and keeps its text
 *
 * @typedef {ReturnType<typeof openJournal>} Journal
 */

/** What a name begins with. @param {string} name */
const stemOf = (name) => name.replace(/[-.].*$/, "");

/** Whether it ever had this name, whatever number the queue has given it. @param {Drop} drop @param {string} name */
export const wasCalled = ({ names }, name) => names.some((one) => stemOf(one) === stemOf(name));

/** What the author has done, for the checker. @param {string} log */
export function openJournal(log) {
  /** @type {Map<string, Drop>} */
  const drops = new Map();

  /** @param {string} what @param {Drop} drop */
  function add(what, { token, project, names, kind }) {
    note(log, { at: Date.now(), what, token, project, name: names.at(-1), kind });
  }

  /** @param {string | null} token @param {string} what @param {(drop: Drop) => void} change */
  function change(token, what, change) {
    const drop = token === null ? undefined : drops.get(token);
    if (drop === undefined) throw new Error(`the author does not know what was ${what}: ${token}`);
    change(drop);
    add(what, drop);
  }

  return {
    drops: () => [...drops.values()],

    /** @param {string} token @param {string} project @param {string} name @param {import("./plans.js").Plan} plan */
    dropped(token, project, name, plan) {
      const fate = { canBeAbsent: false, canBeCancelled: false, removedAt: null };
      /** @type {Drop} */
      const drop = { ...plan, token, project, names: [name], droppedAt: Date.now(), ...fate, retriedAt: [] };
      drops.set(token, drop);
      add("dropped", drop);
    },

    /** It waited, or was with the platform, and was taken away. @param {string | null} token */
    removed(token) {
      change(token, "removed", (drop) => {
        drop.canBeAbsent = true;
        drop.removedAt = Date.now();
      });
    },

    /** Its claim was taken away, or another text has taken its place. @param {string | null} token @param {string} what */
    givenUp(token, what) {
      change(token, what, (drop) => {
        drop.canBeAbsent = true;
      });
    },

    /** Whatever goes by this name was to be cancelled. @param {string} project @param {string} name */
    cancelled(project, name) {
      for (const drop of drops.values()) {
        if (drop.project !== project || !wasCalled(drop, name)) continue;
        drop.canBeCancelled = true;
        add("cancelled", drop);
      }
    },

    /** It was over, and was moved back into the inbox as that. @param {string | null} token @param {string} name */
    retried(token, name) {
      change(token, "retried", (drop) => {
        drop.names.push(name);
        drop.retriedAt.push(Date.now());
        // What was done to it before was done to another task.
        drop.removedAt = null;
        drop.canBeAbsent = false;
      });
    },
  };
}
