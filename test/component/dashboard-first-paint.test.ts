import { describe, expect, test } from "vitest";
import type { Overview } from "../../src/control/overview.ts";
import { cardLines, shortened } from "../../src/server/dashboard/cut.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { exampleDetail, exampleOverview } from "../helpers/dashboard-data.ts";

const KIB = 1_024;
const ESC = "\u001b";

/** What a browser loads to show the first page, by its address: how many bytes. */
async function loaded(overview: Overview): Promise<Map<string, number>> {
  const fixture = dashboardWith({ overview: async () => overview });
  const { html } = await fixture.page("/");
  const sizes = new Map([["/", Buffer.byteLength(html)]]);
  for (const [, url = ""] of html.matchAll(/<(?:link|script|img)\b[^>]*(?:href|src)="([^"]+)"/g)) {
    const response = await fixture.app.request(url);
    expect({ url, status: response.status }).toEqual({ url, status: 200 });
    sizes.set(url, (await response.arrayBuffer()).byteLength);
  }
  return sizes;
}

/** A pane of 250 columns whose colour changes every `step` of them. */
function pane(character: string, columns: number, step: number): string {
  const width = 250 / columns;
  const line = (row: number) =>
    Array.from({ length: width / step }, (_, index) => `${ESC}[${31 + ((index + row) % 6)}m${character.repeat(step)}`);
  return Array.from({ length: 12 }, (_, row) => `${line(row).join("")}${ESC}[0m\n`).join("");
}

/** Twenty sessions with such panes, and everywhere such titles, names and reasons. */
function wide(screen: string, title: string): Overview {
  const base = exampleOverview({ sessions: 20, busy: 20, waiting: 10_000 });
  const task = `site/${title.repeat(20).slice(0, 80)}.md`;
  const tasks = base.waiting.tasks.map((one) => ({ ...one, task, title: title.repeat(80) }));
  const sessions = base.sessions.map((session) => ({
    ...{ ...session, screen },
    run: session.run && { ...session.run, task, reason: title.repeat(20) },
  }));
  return { ...base, sessions, waiting: { ...base.waiting, tasks } };
}

describe("the first page is loaded with less than 100 KB, uncompressed, all files together", () => {
  test.each<[string, Overview]>([
    ["ten busy sessions", exampleOverview({ sessions: 10, busy: 10, waiting: 10_000 })],
    ["twenty busy sessions", exampleOverview({ sessions: 20, busy: 20, waiting: 10_000 })],
    ["panes of 250 columns in many colours, and long titles", wide(pane("w", 1, 10), "A long title. ")],
    ["a colour for each character", wide(pane("w", 1, 1), "A long title. ")],
    ["characters of two columns", wide(pane("東", 2, 25), "東京都の長い題名")],
    ["lines from edge to edge", wide(pane("─", 1, 125), "東京都の長い題名")],
    ["characters that HTML has longer words for", wide(pane('"', 1, 50), "A 'long' title. ")],
    ["marks without a width", wide(pane("e\u0301", 1, 50), "e\u0301\u0302\u0303")],
  ])("with %s", async (_what, overview) => {
    const sizes = await loaded(overview);
    expect(sizes.size).toBe(5);
    expect([...sizes.values()].reduce((sum, size) => sum + size, 0)).toBeLessThan(100 * KIB);
  });
});

describe("a card's screen", () => {
  const seen = (text: string, bytes = 10_000) =>
    cardLines(text, { lines: 3, bytes }).map((line) => line.map(({ text, classes }) => `${classes}:${text}`).join("|"));

  test("has the last lines, as far as a card is wide, in their colours", () => {
    const line = `${ESC}[31m${"r".repeat(70)}${ESC}[32m${"g".repeat(70)}${ESC}[0mend`;
    expect(seen(`first\n${line}\nshort\n${ESC}[33m${"東".repeat(70)}`)).toEqual([
      `f1:${"r".repeat(70)}|f2:${"g".repeat(10)}`,
      ":short",
      `f3:${"東".repeat(40)}`,
    ]);
  });

  test("cuts no character in two", () => {
    expect(seen(`${"x".repeat(79)}東`)).toEqual([`:${"x".repeat(79)}`]);
    expect(seen(`${"x".repeat(79)}😀`)).toEqual([`:${"x".repeat(79)}`]);
    expect(seen(`${"x".repeat(78)}😀`)).toEqual([`:${"x".repeat(78)}😀`]);
  });

  test("loses colours where they cost too much, those of the upper lines first", () => {
    const line = `${ESC}[31mred${ESC}[32mgreen`;
    expect(seen(`${line}\n${line}\n${line}`, 100)).toEqual([":redgreen", "f1:red|f2:green", "f1:red|f2:green"]);
    const rainbow = Array.from("rainbow", (letter, index) => `${ESC}[${31 + (index % 6)}m${letter}`).join("");
    expect(seen(`${line}\n${rainbow}`, 100)).toEqual(["f1:red|f2:green", ":rainbow"]);
  });

  test("loses its upper lines where even the text costs too much", () => {
    expect(seen("one\ntwo\nthree", 8)).toEqual([":two", ":three"]);
    expect(seen('"""\nfits', 8)).toEqual([":fits"]);
  });
});

describe("a title in a list", () => {
  test.each([
    ["fits", 4, "fits"],
    ["too long", 5, "too l…"],
    ["東京都", 5, "東京…"],
    ["東京都", 6, "東京都"],
    [`ab${"\u0301".repeat(9)}`, 4, "ab\u0301\u0301…"],
    ["abc😀", 4, "abc…"],
  ])("%j cut after %i columns is %j", (text, columns, expected) => {
    expect(shortened(text, columns)).toBe(expected);
  });

  test("is whole on its own page", async () => {
    const [task] = exampleOverview().waiting.tasks;
    const title = "long ".repeat(60).trim();
    const fixture = dashboardWith({
      tasks: async () => ({ total: 1, offset: 0, tasks: task === undefined ? [] : [{ ...task, title }] }),
      task: async () => ({ ...exampleDetail("done"), title }),
    });
    const list = await fixture.page("/tasks");
    expect(list.html).not.toContain(title);
    expect(list.html).toContain(`${"long ".repeat(24)}…`);
    expect((await fixture.page("/tasks/k1")).html).toContain(title);
  });
});
