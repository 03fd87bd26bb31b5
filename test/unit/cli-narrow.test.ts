import pc from "picocolors";
import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { describeHosts } from "../../src/cli/hosts.ts";
import { describeRouting } from "../../src/cli/route.ts";
import { rulesLookedAt } from "../../src/cli/route-rules.ts";
import { PLAIN } from "../../src/cli/screen.ts";
import { describeSessions } from "../../src/cli/sessions.ts";
import { describeStatus } from "../../src/cli/status.ts";
import { hostView } from "../../src/control/hosts.ts";
import { runView, sessionView } from "../../src/control/session-view.ts";
import { statusSchema } from "../../src/control/status.ts";
import type { TaskHeader } from "../../src/core/task.ts";

const NOW_MS = Date.parse("2026-11-21T10:00:00.000Z");
const at = new Date(NOW_MS).toISOString();
const NEARLY_AN_HOUR_MS = 3_599_000;
const earlier = new Date(NOW_MS - NEARLY_AN_HOUR_MS).toISOString();
const LARGE = 123_456;
const JAPANESE = "東京".repeat(20);

const RUN = runView.parse({
  ...{ id: "kabcdefghi-1", job: "kabcdefghi", task: `site/${JAPANESE}.md`, reason: "r", session: "ccl-auto-100" },
  ...{ model: "claude-opus-4-1-20250805", attempt: 2, phase: "background", started_at: earlier, since: at },
  ...{ silent_ms: NEARLY_AN_HOUR_MS, stale: true },
});

/** Which of these lines are wider than the terminal. */
function tooWide(lines: readonly string[], columns: number): string[] {
  return lines.filter((line) => stringWidth(line) > columns);
}

test("the sessions fit the terminal: what is long is cut, and what matters least is left out", () => {
  const session = (name: string, changes: object) => sessionView.parse({ name, attach: "", run: null, ...changes });
  const found = [session("ccl-auto-100", { state: "busy", run: RUN }), session("ccl-auto-11", { state: "missing" })];
  const shown = (columns: number) => describeSessions(found, { ...PLAIN, columns }, NOW_MS);
  expect(shown(80)).toEqual([
    "SESSION       STATE    TASK      PHASE       MODEL      FOR          SILENT FOR",
    "ccl-auto-100  busy     site/東…  background  claude-o…  59 min 59 s  59 min 59 s",
    "ccl-auto-11   missing",
  ]);
  for (const columns of [70, 80, 90, 120]) expect(tooWide(shown(columns), columns)).toEqual([]);
});

test("the hosts do, too", () => {
  const found = hostView.parse({
    ...{ workspace: "w".repeat(40), host: "build-2.example.org-1f3c9a", at: earlier, state: "up" },
    ...{ verdict: "attention", reasons: ["the pool is held"], hold: null, sessions: { busy: 10 } },
    ...{ waiting: LARGE, delegated: LARGE },
  });
  const shown = (columns: number) => describeHosts([found], { ...PLAIN, columns }, NOW_MS);
  expect(shown(80)).toEqual([
    "WORKSPA…  HOST      VERDICT    SESSIONS       WAITING  HEARD OF         WHY",
    "wwwwwww…  build-2…  attention  10 of 10 busy  123456   59 min 59 s ago  the poo…",
  ]);
  for (const columns of [62, 80, 100, 120]) expect(tooWide(shown(columns), columns)).toEqual([]);
});

describe("the status", () => {
  const states = ["busy", "idle", "cooling", "in use", "missing"];
  const backlog = { waiting: LARGE, active: LARGE, delayed: LARGE, oldest_ms: NEARLY_AN_HOUR_MS };
  const status = statusSchema.parse({
    ...{ verdict: "attention", reasons: [`${RUN.task} needs attention in ${RUN.session}`, JAPANESE.repeat(2)] },
    ...{ at, hold: null, runs: [RUN], queues: { inbox: backlog, local: backlog, delegated: backlog } },
    sessions: Array.from({ length: 1_000 }, (_, index) => ({ name: `${index}`, state: states[index % 5] })),
    delegation: {
      ...{ configured: true, active: LARGE, submitted: LARGE, completed: LARGE, failed: LARGE, cancelled: LARGE },
      ...{ fallback: LARGE, ticks: LARGE, ticked_at: at },
      cost_usd: { gpu: LARGE, gemini: LARGE, "claude-api": LARGE },
    },
  });

  test("does, with every line", () => {
    for (const columns of [70, 80, 90, 120])
      expect(tooWide(describeStatus(status, { ...PLAIN, columns }), columns)).toEqual([]);
    const [first, reason, second, ...more] = describeStatus(status, { ...PLAIN, columns: 80 });
    expect(first).toBe("attention: 200 of 1000 sessions busy, 200 idle, 200 cooling, 200 in use, 200 mi…");
    expect([reason, second]).toEqual([
      expect.stringMatching(/^ {2}site\/東京.*…$/),
      expect.stringMatching(/^ {2}東京.*…$/),
    ]);
    expect(more.at(-2)).toBe("SESSION       TASK         PHASE              MODEL         ATTEMPT  SILENT FOR");
  });

  test("keeps its colours, and everything where there is no terminal", () => {
    const colours = pc.createColors(true);
    const [first] = describeStatus(status, { columns: 80, colours });
    expect(first).toContain(`${colours.red("attention")}: 200 of 1000`);
    expect(describeStatus(status).join("\n")).not.toContain("…");
  });
});

test("the rules of a route do, and none of them is cut at 80 columns", () => {
  const header: TaskHeader = {
    ...{ title: null, priority: "low", tags: [], timeoutMs: null, needsClaudeCode: false, preferredAi: "auto" },
    ...{ allowDelegation: true, complexityHint: "unknown" },
  };
  const rules = rulesLookedAt(header, { auto: { low: "gpu", medium: "gpu", high: "gpu", none: "gpu" } });
  const unknown = { provider: null, reason: "", model: null, timeout_ms: null, warnings: [] };
  const shown = (columns: number) =>
    describeRouting({ ...unknown, route: "local", priority: "low", rules }, { ...PLAIN, columns });
  for (const columns of [40, 60, 80]) expect(tooWide(shown(columns), columns)).toEqual([]);
  expect(shown(80).at(-1)).toBe("  →  complexity_hint chooses the provider  a value that is not known");
});
