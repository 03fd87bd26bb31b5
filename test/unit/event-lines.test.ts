import { expect, test, vi } from "vitest";
import { describeEvent, describeHold } from "../../src/core/describe-event.ts";
import { type TaskEvent, TaskEvents } from "../../src/core/events.ts";
import type { Hold } from "../../src/core/verdict.ts";

const task = { project: "/srv/site", name: "fix.md" };
const told = { task, id: "kabcdefghi" };
const decision = { route: "local", reason: "allow_delegation is not true" } as const;
const spent = { durationMs: 245_000, model: "opus", tokens: null, costUsd: null };
const ran = { ...told, session: "ccl-auto-11", run: "kabcdefghi-1" };
const over = { decision, by: "ccl-auto-11", spent };

test.each<[string, TaskEvent]>([
  ["seen in the inbox", { ...told, type: "seen", isAgain: false, warnings: [] }],
  ["put back into the inbox", { ...told, type: "seen", isAgain: true, warnings: [] }],
  [
    "seen in the inbox; prio: unknown; b: unknown",
    { ...told, type: "seen", isAgain: false, warnings: ["prio: unknown", "b: unknown"] },
  ],
  ["updated: its file was edited", { ...told, type: "updated" }],
  ["cancelled: its file was taken away", { ...told, type: "cancelled", decision: null, byCommand: false }],
  ["cancelled: somebody cancelled the task", { ...told, type: "cancelled", decision: null, byCommand: true }],
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
  [
    "needs attention in ccl-auto-11: the folder trust dialog",
    { ...ran, type: "attention", what: "the folder trust dialog", screen: "Accessing workspace:\n/srv/site" },
  ],
  [
    "tried again in 2 min 40 s: RUN_CRASHED: it ended",
    { ...ran, type: "retrying", reason: "RUN_CRASHED: it ended", delayMs: 160_000 },
  ],
  [
    "waits with the pool until 2026-11-21T23:26:00.000Z: RUN_LIMITED: You've hit your limit",
    { ...ran, type: "held", reason: "RUN_LIMITED: You've hit your limit", untilMs: Date.UTC(2026, 10, 21, 23, 26) },
  ],
  ["waits again: host-a, which ran it, is gone", { ...told, type: "recovered", from: "host-a" }],
  ["known again: Redis had lost it", { ...told, type: "restored" }],
  ["done after 4 min 5 s; now done/fix.md", { ...ran, ...over, type: "done", path: "done/fix.md" }],
  [
    "failed: RUN_CRASHED: it ended; now failed/fix.md",
    { ...ran, ...over, type: "failed", path: "failed/fix.md", reason: "RUN_CRASHED: it ended" },
  ],
])("%s", (line, event) => {
  expect(describeEvent(event)).toBe(line);
});

const hold = { sinceMs: Date.UTC(2026, 10, 21, 20), untilMs: Date.UTC(2026, 10, 21, 23, 26) };

test.each<[string, Hold | null]>([
  [
    "the pool is held until 2026-11-21T23:26:00.000Z, then one task goes first: the usage limit is reached (resets 11:25pm (UTC))",
    { ...hold, kind: "limit", message: "resets 11:25pm (UTC)" },
  ],
  [
    "the pool is held until 2026-11-21T23:26:00.000Z, then one task goes first: Claude Code cannot log in (authentication_failed: Please run /login)",
    { ...hold, kind: "login", message: "authentication_failed: Please run /login" },
  ],
  ["the pool is no longer held", null],
])("of the pool: %s", (line, held) => {
  expect(describeHold(held)).toBe(line);
});

test("every listener hears every event from then on, in order", () => {
  const events = new TaskEvents();
  const early = vi.fn<(event: TaskEvent) => void>();
  const late = vi.fn<(event: TaskEvent) => void>();
  const first: TaskEvent = { ...told, type: "updated" };
  const second: TaskEvent = { ...told, type: "cancelled", decision: null, byCommand: false };
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
