import { follow, note } from "./jsonl.js";
import { isAgentOf } from "./processes.js";

/** @typedef {ReturnType<typeof followLives>} Lives */

const LOOK_MS = 100;

/**
 * Looks after the agents that their log speaks of, and notes of each when it was last seen alive: what one that is
 * killed cannot say itself.
 * @param {import("./places.js").Places} places
 */
export function followLives({ logs }) {
  const news = follow(logs.agents);
  /** The runs and when they were last seen, by process. @type {Map<number, { run: string, seenAt: number }>} */
  const alive = new Map();

  function look() {
    for (const { event, pid, run } of /** @type {import("./attempts.js").AgentLine[]} */ (news())) {
      if (event === "start" && run !== null && isAgentOf(pid, run)) alive.set(pid, { run, seenAt: Date.now() });
    }
    for (const [pid, life] of alive) {
      if (isAgentOf(pid, life.run)) life.seenAt = Date.now();
      else end(pid, life);
    }
  }

  /** @param {number} pid @param {{ run: string, seenAt: number }} life */
  function end(pid, { run, seenAt }) {
    alive.delete(pid);
    note(logs.lives, { pid, run, lastSeenAt: seenAt });
  }

  const timer = setInterval(look, LOOK_MS);
  return {
    /** The agents that live now. */
    alive: () => {
      look();
      return Array.from(alive, ([pid, { run }]) => ({ pid, run }));
    },

    /** Those that still live are noted, too. */
    close() {
      clearInterval(timer);
      look();
      for (const [pid, life] of alive) end(pid, life);
    },
  };
}
