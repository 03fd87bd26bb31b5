import { describe, expect, test } from "vitest";
import { newTaskId, taskKey } from "../../src/core/id.ts";
import { bullPriority, PRIORITIES, taskLabel } from "../../src/core/task.ts";

describe("a task's id", () => {
  const ids = Array.from({ length: 2_000 }, newTaskId);

  test("is ten characters that cannot be confused, and starts with a letter", () => {
    for (const id of ids) expect(id).toMatch(/^[a-km-np-z][a-km-np-z2-9]{9}$/);
  });

  test("uses every letter and digit it may", () => {
    const rest = new Set(ids.flatMap((id) => [...id.slice(1)]));
    expect([...rest].sort().join("")).toBe("23456789abcdefghijkmnpqrstuvwxyz");
    expect(new Set(ids.map((id) => id.charAt(0))).size).toBe(24);
  });

  test("is never given twice", () => {
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("a task's key", () => {
  const task = { project: "/srv/site", name: "fix.md" };

  test("is the same for every drop of the same file", () => {
    expect(taskKey(task)).toBe(taskKey({ ...task }));
    expect(taskKey(task)).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    { project: "/srv/site", name: "fix2.md" },
    { project: "/srv/site2", name: "fix.md" },
    { project: "/srv/sitefix", name: ".md" },
    { project: "/srv/sit", name: "efix.md" },
  ])("is another one for $project $name", (other) => {
    expect(taskKey(other)).not.toBe(taskKey(task));
  });

  test("outlives releases: jobs in Redis carry it", () => {
    expect(taskKey(task)).toBe("0bfed598a6006fc19e6c8c44f2a62f07");
  });
});

test("priorities go to BullMQ as critical 1, high 2, default 3, low 4", () => {
  expect(PRIORITIES.map((priority) => [priority, bullPriority(priority)])).toEqual([
    ["critical", 1],
    ["high", 2],
    ["default", 3],
    ["low", 4],
  ]);
});

test("people call a task by its project's own name and its file's", () => {
  expect(taskLabel({ project: "/home/op/projects/site", name: "fix login.md" })).toBe("site/fix login.md");
});
