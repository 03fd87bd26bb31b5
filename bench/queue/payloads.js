/** @typedef {import("../../src/queue/payload.ts").TaskPayload} TaskPayload */

/** A task as the door hands it in; its file need not exist. @param {number} number @returns {TaskPayload} */
export function payloadOf(number, project = "/srv/projects/alpha") {
  return {
    project,
    name: `task-${number}.md`,
    fingerprint: `${1_000_000 + number}-9-1790000000000000000`,
    earlierRuns: 0,
    header: {
      title: null,
      priority: "default",
      tags: [],
      needsClaudeCode: false,
      preferredAi: "auto",
      allowDelegation: false,
      complexityHint: "none",
      timeoutMs: null,
    },
  };
}

/** @template T @param {readonly T[]} list @param {number} size @returns {T[][]} */
export function inBatches(list, size) {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
