import { describe, expect, test } from "vitest";
import type { HistorySlot, Overview } from "../../src/control/overview.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { exampleOverview, exampleTask } from "../helpers/dashboard-data.ts";

/** A part of the first page, with this in place of the example's. */
async function panel(id: string, changed: Partial<Overview>): Promise<string> {
  const { html } = await dashboardWith({ overview: async () => ({ ...exampleOverview(), ...changed }) }).page("/");
  return new RegExp(`<section id="${id}".*?</section>`, "s").exec(html)?.[0] ?? `there is no ${id}`;
}

const words = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
const rows = (html: string, tag: string) =>
  [...html.matchAll(new RegExp(`<${tag}[ >].*?</${tag}>`, "gs"))].map(([row]) => words(row));

const slot = (index: number, done: number, failed: number, utilisation: number | null): HistorySlot => ({
  ...{ at: new Date(Date.UTC(2026, 2, 2, 14, 10 * index)).toISOString(), done, failed, utilisation },
});

describe("the last 24 hours", () => {
  const history = [slot(0, 2, 0, 0.5), slot(1, 0, 1, null), slot(2, 4, 2, 1)];

  test("are drawn: what is done up, what failed down, and how busy the sessions were below", async () => {
    const html = await panel("history", { history });
    const path = (name: string) => new RegExp(`<path class="${name}" d="([^"]*)"`).exec(html)?.[1];
    expect(html).toContain('viewBox="0 0 18 119"');
    expect(path("up")).toBe("M0 60v-30h5v30zM12 60v-60h5v60z");
    expect(path("down")).toBe("M6 61v10h5v-10zM12 61v20h5v-20z");
    expect(path("use")).toBe("M0 118v-15h6v15zM12 118v-30h6v30z");
  });

  test("are told to those who do not see them, in all and by the hour", async () => {
    const html = await panel("history", { history });
    expect(html).toContain('role="img" aria-label="6 tasks done, 3 failed, sessions busy 75 % of the time"');
    expect(rows(html, "tr")).toEqual(["from done failed busy", "14:00 6 3 75 %"]);
  });

  test("have a row for each hour, also for one in which no daemon ran", async () => {
    const hours = Array.from({ length: 12 }, (_, index) => slot(index, 1, 0, index < 6 ? 0.25 : null));
    const html = await panel("history", { history: hours });
    expect(rows(html, "tr").slice(1)).toEqual(["14:00 6 0 25 %", "15:00 6 0 –"]);
  });

  test("are empty where nothing happened", async () => {
    const html = await panel("history", { history: [slot(0, 0, 0, null)] });
    expect(html).toContain('aria-label="0 tasks done, 0 failed, sessions busy – of the time"');
    expect(html).toContain('<path class="up" d=""');
    expect(rows(html, "tr").slice(1)).toEqual(["14:00 0 0 –"]);
  });
});

describe("what ended last", () => {
  test("says by whom, how long it took, its tokens and its cost", async () => {
    const unknown = { ...exampleTask(9, "cancelled"), duration_ms: null, tokens: null, cost_usd: null };
    const tasks = [exampleTask(0, "done"), exampleTask(1, "failed"), unknown];
    const html = await panel("finished", { finished: { total: 3, tasks } });
    const [done = "", failed = "", cancelled = ""] = rows(html, "li");
    expect(done).toMatch(/^done Fix the flaky login test .* ccl-auto-11 1 min 51 k \$0\.12 1 min ago$/);
    expect(failed).toMatch(/RUN_CRASHED: .* ccl-auto-12 2 min 58 k \$0\.19 2 min ago Retry api\/.*\.md$/);
    expect(cancelled).toMatch(/ccl-auto-20 10 min ago$/);
    for (const [what, value] of Object.entries({ duration: "1 min", tokens: "51 k", cost: "\\$0.12" }))
      expect(html).toMatch(new RegExp(`<span title="${what}">${value}</span>`));
  });
});

describe("what is delegated", () => {
  const delegated = { total: 3, tasks: [3, 4, 5].map((index) => exampleTask(index, "delegated")) };

  test("says who has it, what it is and for how long", async () => {
    const [gpu = "", gemini = "", claude = ""] = rows(await panel("delegated", { delegated }), "li");
    expect(gpu).toMatch(/^gpu Upgrade the date picker .* 8 min$/);
    expect(gemini).toMatch(/^gemini Explain the billing job .* 10 min$/);
    expect(claude).toMatch(/^claude-api api\/add-paging-to-orders\.md .* 12 min$/);
  });

  test("is nothing where nothing is, and no panel where no platform is configured", async () => {
    const none = { total: 0, tasks: [] };
    expect(words(await panel("delegated", { delegated: none }))).toBe("Delegated 0 Nothing is with the platform.");
    const { status } = exampleOverview();
    const without = { ...status, delegation: { ...status.delegation, configured: false } };
    expect(await panel("delegated", { delegated: none, status: without })).toBe("there is no delegated");
  });
});
