import { expect, test, vi } from "vitest";
import { describeEvent } from "../../src/core/describe-event.ts";
import { type TaskEvent, TaskEvents } from "../../src/core/events.ts";

const task = { project: "/srv/site", name: "fix.md" };
const told = { task, id: "kabcdefghi" };
const ran = { ...told, session: "ccl-auto-11", run: "kabcdefghi-1" };

test.each<[string, TaskEvent]>([
  ["seen in the inbox", { ...told, type: "seen", warnings: [] }],
  [
    "seen in the inbox; prio: unknown; b: unknown",
    { ...told, type: "seen", warnings: ["prio: unknown", "b: unknown"] },
  ],
  ["updated: its file was edited", { ...told, type: "updated" }],
  ["cancelled: its file was taken away", { ...told, type: "cancelled" }],
  [
    "rejected: it is empty; now failed/fix.md",
    { ...told, type: "rejected", reason: "it is empty", path: "failed/fix.md" },
  ],
  [
    "routed to the local pool: needs_claude_code is true",
    { ...told, type: "routed", decision: { route: "local", reason: "needs_claude_code is true" } },
  ],
  [
    "routed to gpu: complexity_hint is low",
    { ...told, type: "routed", decision: { route: "delegated", provider: "gpu", reason: "complexity_hint is low" } },
  ],
  ["launched in ccl-auto-11 with opus", { ...ran, type: "launched", model: "opus" }],
  ["the agent in ccl-auto-11 took the prompt", { ...ran, type: "submitted" }],
  ["done after 4 min 5 s; now done/fix.md", { ...ran, type: "done", path: "done/fix.md", durationMs: 245_000 }],
  [
    "failed: RUN_CRASHED: it ended; now failed/fix.md",
    { ...ran, type: "failed", path: "failed/fix.md", reason: "RUN_CRASHED: it ended" },
  ],
])("%s", (line, event) => {
  expect(describeEvent(event)).toBe(line);
});

test("every listener hears every event from then on, in order", () => {
  const events = new TaskEvents();
  const early = vi.fn<(event: TaskEvent) => void>();
  const late = vi.fn<(event: TaskEvent) => void>();
  const first: TaskEvent = { ...told, type: "updated" };
  const second: TaskEvent = { ...told, type: "cancelled" };
  events.on(early);
  events.emit(first);
  events.on(late);
  events.emit(second);
  expect(early.mock.calls).toEqual([[first], [second]]);
  expect(late.mock.calls).toEqual([[second]]);
});

test("an event that nobody listens to is no error", () => {
  expect(() => new TaskEvents().emit({ ...told, type: "updated" })).not.toThrow();
});
