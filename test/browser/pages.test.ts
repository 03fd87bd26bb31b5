import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { Overview } from "../../src/control/overview.ts";
import { TASK_STATES } from "../../src/core/task.ts";
import { HttpServer } from "../../src/server/http-server.ts";
import { barriers, openPage, startBrowser } from "../helpers/browser.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { exampleDetail, exampleOverview, exampleTask, NOW_MS } from "../helpers/dashboard-data.ts";
import { evilAnswers } from "../helpers/hostile-tasks.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => await browser.close());

async function serve(app: Hono, port = 0): Promise<HttpServer> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = new HttpServer({ host: "127.0.0.1", port, token: null, listener });
  onTestFinished(async () => await server.stop());
  await server.start();
  return server;
}

/** A first page whose data a test can change. */
async function openExample(data: Overview, options = {}) {
  const state = { data };
  const { app } = dashboardWith({ overview: async () => state.data });
  const server = await serve(app);
  const sight = await openPage(browser, server.url, options);
  await sight.page.goto("/");
  await sight.page.locator("#stream", { hasText: "live" }).waitFor();
  return { state, server, ...sight };
}

const atNow = (more: Parameters<typeof exampleOverview>[0] = {}) => exampleOverview({ nowMs: Date.now(), ...more });

/** The same with one more task that ended last, and one less that waits. */
function later(data: Overview): Overview {
  const newest = { ...exampleTask(99, "done", Date.now()), id: "knew", title: "The newest of all" };
  const finished = { total: data.finished.total + 1, tasks: [newest, ...data.finished.tasks] };
  return { ...data, finished, waiting: { total: data.waiting.total - 1, tasks: data.waiting.tasks.slice(1) } };
}

const run = async <T>(page: Page, expression: string, schema: z.ZodType<T>) =>
  schema.parse(await page.evaluate(expression));

describe("what changes by itself", () => {
  test("leaves the focus, the selection, the scrolling and what is opened where they are", async () => {
    const { page, state, complaints } = await openExample(atNow());
    await page.locator("#finished").getByRole("link", { name: "Speed up the search page" }).first().focus();
    await page.locator("#waiting .rows").evaluate((list) => void list.scrollTo(0, 200));
    await page.locator("#history summary").click();
    await page.locator("#finished").getByRole("link", { name: "Speed up the search page" }).first().focus();
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#waiting li:nth-child(9) .task'))");
    const before = await run(page, "String(getSelection())", z.string().min(5));
    const focused = await run(page, "document.activeElement.getAttribute('href')", z.string().startsWith("/tasks/"));
    state.data = later(state.data);
    await page.locator("#finished li", { hasText: "The newest of all" }).waitFor();
    expect(await page.locator("#finished li").first().textContent()).toContain("The newest of all");
    expect(await page.evaluate("document.activeElement.getAttribute('href')")).toBe(focused);
    expect(await page.evaluate("String(getSelection())")).toBe(before);
    expect(await page.evaluate("document.querySelector('#waiting .rows').scrollTop")).toBeGreaterThan(100);
    expect(await page.locator("#history details").getAttribute("open")).not.toBeNull();
    expect(complaints).toEqual([]);
  });

  test("leaves alone what somebody types", async () => {
    const { page, state } = await openExample(atNow());
    await page.getByLabel("Task", { exact: true }).fill("half a tas");
    state.data = later(state.data);
    await page.locator("#finished li", { hasText: "The newest of all" }).waitFor();
    await page.keyboard.type("k");
    expect(await page.getByLabel("Task", { exact: true }).inputValue()).toBe("half a task");
  });

  test("keeps the very elements, and adds and removes the others", async () => {
    const { page, state } = await openExample(atNow({ waiting: 5 }));
    await page.evaluate("for (const row of document.querySelectorAll('#waiting li')) row.mark = row.dataset.key");
    state.data = later(state.data);
    await page.locator("#waiting li").nth(4).waitFor({ state: "detached" });
    const kept = await run(
      page,
      "[...document.querySelectorAll('#waiting li')].map((row) => row.mark)",
      z.array(z.string()),
    );
    expect(kept).toEqual(state.data.waiting.tasks.map(({ id }) => id));
  });

  test("comes and goes as other elements, such as a hold's", async () => {
    const { page, state } = await openExample(atNow());
    state.data = atNow({ held: true });
    await page.getByRole("button", { name: "Resume now" }).waitFor();
    await page.locator("#hold time", { hasText: /^22 min \d\d s$/ }).waitFor();
    state.data = atNow({ attention: false });
    await page.getByRole("button", { name: "Resume now" }).waitFor({ state: "detached" });
    expect(await page.locator("h1").textContent()).toBe("All is well");
  });

  test("moves nothing else on the page", async () => {
    const { page, state } = await openExample(atNow());
    await page.evaluate(
      "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; }).observe({ type: 'layout-shift', buffered: true })",
    );
    const screens = state.data.sessions.map((one) =>
      one.run === null ? one : { ...one, screen: one.screen.replaceAll("●", "◆") },
    );
    state.data = { ...state.data, sessions: screens };
    await page.locator(".card .screen", { hasText: "◆" }).first().waitFor();
    expect(await run(page, "window.shift", z.number())).toBeLessThan(0.01);
  });

  test("is told to be lost, and found again after a restart without losing what is typed", async () => {
    const { page, server } = await openExample(atNow());
    await page.getByLabel("Task", { exact: true }).fill("half a task");
    const port = Number(new URL(server.url).port);
    await server.stop();
    await page.locator("#stream.lost", { hasText: "no connection" }).waitFor();
    const { app } = dashboardWith({ overview: async () => later(atNow()) });
    await serve(app, port);
    await page.locator("#stream.lost", { hasText: "the queue was restarted: reload" }).waitFor();
    expect(await page.getByLabel("Task", { exact: true }).inputValue()).toBe("half a task");
    await page.reload();
    await page.locator("#finished li", { hasText: "The newest of all" }).waitFor();
  });

  test("ends when nobody looks", async () => {
    const { app, streams } = dashboardWith();
    const server = await serve(app);
    const { page } = await openPage(browser, server.url);
    await page.goto("/");
    await page.locator("#stream", { hasText: "live" }).waitFor();
    expect(streams.open).toBe(1);
    await page.goto("about:blank");
    await expect.poll(() => streams.open, { timeout: 10_000 }).toBe(0);
  });
});

describe("a time", () => {
  test("is said by the browser as the server says it", async () => {
    const nowMs = Date.now();
    const ages = [10, 45, 90, 3_570, 3_630, 5_430, 35_970, 36_030, 90_000, 172_000, 173_000, 900_000];
    const tasks = ages.map((age, index) => ({
      ...exampleTask(index, "waiting"),
      enqueued_at: new Date(nowMs - age * 1_000).toISOString(),
    }));
    const data = { ...atNow({ nowMs }), waiting: { total: tasks.length, tasks } };
    const { app } = dashboardWith({ overview: async () => data });
    const { url } = await serve(app);
    const texts = async (javaScriptEnabled: boolean) => {
      const { page } = await openPage(browser, url, { javaScriptEnabled });
      // The clock of the reader stands where the server's does.
      await page.clock.setFixedTime(nowMs + 100);
      await page.goto("/");
      return await page.locator("#waiting time").allTextContents();
    };
    const plain = await texts(false);
    expect(plain).toHaveLength(ages.length);
    expect(new Set(plain).size).toBeGreaterThan(8);
    expect(await texts(true)).toEqual(plain);
  });

  test("goes by the server's clock, however wrong the reader's is", async () => {
    const { app } = dashboardWith({ overview: async () => atNow() });
    const { url } = await serve(app);
    const { page } = await openPage(browser, url);
    await page.clock.install({ time: NOW_MS });
    await page.goto("/");
    await page.clock.runFor(3_000);
    expect(await page.locator(".card time").first().textContent()).toMatch(/^4 min [12]\d s$/);
  });
});

describe("a narrow window", () => {
  test.each(["/", "/tasks", "/tasks/k1", "/nowhere"])(
    "of 360 points holds %s without scrolling sideways",
    async (path) => {
      const { app } = dashboardWith({ task: async () => exampleDetail("running") });
      const { url } = await serve(app);
      const { page } = await openPage(browser, url, { viewport: { width: 360, height: 740 } });
      await page.goto(path);
      expect(await run(page, "document.documentElement.scrollWidth", z.number())).toBe(360);
    },
  );
});

describe("what strangers wrote", () => {
  test.each(["/", "/tasks", "/tasks/k1"])("does nothing on %s but be read", async (path) => {
    const { app } = dashboardWith(evilAnswers());
    const { url } = await serve(app);
    const { page, complaints, foreign } = await openPage(browser, url, { viewport: { width: 360, height: 740 } });
    const dialogs: string[] = [];
    page.on("dialog", async (dialog) => {
      dialogs.push(dialog.message());
      await dialog.dismiss();
    });
    await page.goto(path);
    if (path !== "/tasks") await page.locator("#stream", { hasText: "live" }).waitFor();
    await page.getByText("<img src=x").first().waitFor();
    expect({ dialogs, complaints, foreign, images: await page.locator("img").count() }).toEqual({
      ...{ dialogs: [], complaints: [], foreign: [], images: 0 },
    });
    expect(await run(page, "document.documentElement.scrollWidth", z.number())).toBe(360);
  });
});

describe("who cannot see well", () => {
  /** Every colour on every other, plain, bold, faint and inverted. */
  const colours = Array.from({ length: 17 }, (_, text) =>
    Array.from({ length: 17 }, (_, ground) => {
      const look = ["", "1;", "2;", "7;"][(text + ground) % 4];
      return `\u001b[0;${look}38;5;${text}m\u001b[48;5;${ground}mword`;
    }).join(""),
  ).join("\n");

  test.each(["light", "dark"] as const)("can read everything that there may be, in %s mode", async (colorScheme) => {
    const { app } = dashboardWith({
      overview: async () => atNow({ held: true }),
      task: async () => exampleDetail("running"),
      screen: async (session) => ({ session, at: new Date().toISOString(), columns: 80, rows: 24, text: colours }),
      tasks: async () => ({ total: 7, offset: 0, tasks: TASK_STATES.map((state, index) => exampleTask(index, state)) }),
    });
    const { url } = await serve(app);
    for (const viewport of [
      { width: 1280, height: 900 },
      { width: 390, height: 844 },
    ]) {
      const { page } = await openPage(browser, url, { viewport, colorScheme });
      for (const path of ["/", "/tasks", "/tasks/k1", "/nowhere"]) {
        await page.goto(path);
        expect({ path, found: await barriers(page) }).toEqual({ path, found: [] });
      }
    }
  });
});

describe("who does not like things to move", () => {
  test("sees nothing move", async () => {
    const { page } = await openExample(atNow(), { reducedMotion: "reduce" });
    expect(await page.evaluate("document.getAnimations().length")).toBe(0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    expect(await page.evaluate("document.getAnimations({ subtree: true }).length")).toBeGreaterThan(0);
  });
});
