import { expect, test } from "vitest";
import type { Daemon } from "../../src/cli/daemon-client.ts";
import { followLog } from "../../src/cli/logs.ts";
import type { TaskStep } from "../../src/control/task-view.ts";

const step = (second: number, type: string): TaskStep => ({
  at: new Date(second * 1_000).toISOString(),
  type,
  text: `the ${type} step`,
});

/** A daemon whose log of a task is longer with each question; with the last, the task is over. */
function daemonThatTells(logs: readonly TaskStep[][]): Pick<Daemon, "get"> {
  const left = [...logs];
  return {
    async get(path, schema) {
      const steps = left.shift() ?? [];
      const from = Number(/from=(\d+)/.exec(path)?.[1] ?? 0);
      const log = { id: "kabcdefghi", task: "a/x.md", lines: steps.slice(from), next: steps.length };
      return schema.parse({ ...log, over: left.length === 0 });
    },
  };
}

test("a step that comes late, in front of others that were told, is told, and no other is told twice", async () => {
  const daemon = daemonThatTells([
    [step(1, "seen"), step(3, "text")],
    [step(1, "seen"), step(2, "submitted"), step(3, "text")],
    [step(1, "seen"), step(2, "submitted"), step(3, "text"), step(4, "done")],
  ]);
  const told: string[] = [];
  await followLog(daemon, "x.md", (steps) => void told.push(...steps.map(({ type }) => type)));
  expect(told).toEqual(["seen", "text", "submitted", "done"]);
});
