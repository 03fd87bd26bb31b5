import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { barriers, openPage, type Sight, startBrowser } from "../helpers/browser.ts";
import { type BoardServing, serveBoard } from "../helpers/bull-board.ts";
import { lostByPlatform } from "../helpers/putting-back.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => await browser.close());

let sight: Sight | null = null;
/** What the browser itself says of an answer that is a refusal. */
let refusals = 0;
afterEach(() => {
  // Bull Board may not complain, or ask others, either.
  const { complaints = [], foreign = [] } = sight ?? {};
  const refused = complaints.filter((text) => /status of 40[34]/.test(text));
  // Scripts that it asked for ahead of time and did not need.
  const told = complaints.filter((text) => !refused.includes(text) && !/preloaded using link preload/.test(text));
  expect({ told, refused: refused.length, foreign }).toEqual({ told: [], refused: refusals, foreign: [] });
  sight = null;
  refusals = 0;
});

async function open(path: string, serving: BoardServing = {}): Promise<{ queue: QueueFixture; page: Page }> {
  const queue = await startQueue();
  onTestFinished(async () => await queue.stop());
  await queue.drop("build.md", "---\ntitle: Build it\npriority: high\n---\nagent: needs ready.txt\n");
  await until("it has failed", () => queue.events.some(({ type }) => type === "failed"));
  return { queue, page: await show(queue, path, serving) };
}

async function show(queue: QueueFixture, path: string, serving: BoardServing = {}): Promise<Page> {
  const { url } = await serveBoard(queue, serving);
  sight = await openPage(browser, url, { colorScheme: "light", viewport: { width: 1280, height: 800 } });
  await sight.page.goto(path);
  return sight.page;
}

const FAILED = "/queues/queue/local?status=failed";
const heading = (page: Page) => page.locator("h5", { hasText: "alpha/build.md" });
/** What axe finds in Bull Board itself: the rule, and the elements that it is accepted for. */
const UPSTREAM: readonly (readonly [rule: string, selector: string])[] = [
  ...["maximize", "settings", "circle-user"].map(
    (icon) => ["button-name", `header button:has(> .lucide-${icon})`] as const,
  ),
  ["button-name", 'header button:has(> svg[width="42"])'],
  ["button-name", "button:has(> .lucide-ellipsis-vertical)"],
  ["button-name", "ul[class^=jobActions] button:has(> .lucide-refresh-cw)"],
  ["button-name", "button:has(> .lucide-copy)"],
  ["svg-img-alt", 'header button > svg[width="42"]'],
  ["color-contrast", "aside kbd[aria-hidden=true]"],
  ["color-contrast", "aside a[class*=active] > span"],
  ["color-contrast", "header p[class^=description]"],
  ["color-contrast", "li a[class^=flag]"],
  ["color-contrast", "ul[class^=timeline] small"],
];
/** The buttons beside the job: pictures, named when one points at them. */
const besideJob = (page: Page) => page.locator("li > span > button:visible");
const confirm = async (page: Page) =>
  await page.getByRole("alertdialog").or(page.getByRole("dialog")).getByRole("button", { name: "Confirm" }).click();

async function ready({ project }: QueueFixture): Promise<void> {
  await writeFile(join(project, "ready.txt"), "");
}

describe("Bull Board", () => {
  test("shows a failed task by its name, and why it failed in words", async () => {
    const { page } = await open("/queues");
    await page.getByRole("link", { name: "local" }).first().click();
    await page.getByRole("link", { name: /Failed/i }).click();
    await heading(page).waitFor();
    const said = page.locator("code", { hasText: "RUN_CRASHED: the agent ended with exit code 1" });
    await said.waitFor();
    expect(await said.textContent()).not.toContain(".ts:");
    expect(await page.getByRole("link", { name: "Task page" }).getAttribute("href")).toMatch(/^\/tasks\/[a-z0-9]+$/);
    await page.getByText("Tasks for the sessions of the pool.").waitFor();
  });

  test("retries a failed task, and shows it done", async () => {
    const { queue, page } = await open(FAILED);
    await heading(page).waitFor();
    await ready(queue);
    expect(await besideJob(page).count()).toBe(1);
    await besideJob(page).hover();
    await page.getByText("Retry", { exact: true }).waitFor();
    await besideJob(page).click();
    await confirm(page);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    await page.getByRole("link", { name: /Completed/i }).click();
    await heading(page).waitFor();
    expect(await besideJob(page).count()).toBe(0);
    expect([...(await queue.names("failed")), ...(await queue.names("inbox"))]).toEqual([]);
    const starts = (await queue.witness()).filter(({ event }) => event === "start");
    expect(starts).toHaveLength(2);
    expect(queue.errors).toEqual([]);
  });

  test("is behind the login, and its buttons work for those who are in", async () => {
    const token = "a-token-for-this-test";
    const { queue, page } = await open(FAILED, { token });
    expect(new URL(page.url()).pathname).toBe("/login");
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Log in" }).click();
    await heading(page).waitFor();
    expect(page.url()).toContain(FAILED);
    await ready(queue);
    await besideJob(page).click();
    await confirm(page);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
  });

  test("retries all failed tasks", async () => {
    const { queue, page } = await open(FAILED);
    await heading(page).waitFor();
    await ready(queue);
    await page.getByRole("button", { name: "Retry all" }).click();
    await confirm(page);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    await page.getByText("were sent back to the queue").first().waitFor();
  });

  test.each<[string, (page: Page) => Promise<void>]>([
    ["by the button above the list", async (page) => await page.getByRole("button", { name: "Retry all" }).click()],
    [
      "by the queue's menu",
      async (page) => {
        await page.locator("button:has(.lucide-ellipsis-vertical)").first().click();
        await page.getByRole("menuitem", { name: "Retry all 1 failed jobs" }).click();
      },
    ],
  ])("retries all failed delegated tasks %s", async (_way, press) => {
    const { queue, delegation } = await lostByPlatform();
    const page = await show(queue, "/queues/queue/delegated?status=failed");
    await heading(page).waitFor();
    await press(page);
    await confirm(page);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    expect(delegation.platform.jobs()).toHaveLength(2);
    await until("nothing is left of it", async () => (await queue.names("inbox")).length === 0);
    expect(await queue.names("failed")).toEqual([]);
    await page.getByRole("link", { name: /Completed/i }).click();
    await heading(page).waitFor();
  });

  test("tells that a task cannot be put back because its file is gone", async () => {
    const { queue, page } = await open(FAILED);
    await heading(page).waitFor();
    await rm(join(queue.project, ".agent-queue", "failed", "build.md"));
    await besideJob(page).click();
    await confirm(page);
    await page.getByText("or its file is gone").first().waitFor();
    expect(await besideJob(page).count()).toBe(1);
    refusals = 1;
  });

  test.each(["/queues", FAILED])("has at %s no barriers but its own few", async (path) => {
    const { page } = await open(path);
    await page.getByText("local").first().waitFor();
    if (path === FAILED) await heading(page).waitFor();
    expect(await barriers(page, UPSTREAM)).toEqual([]);
  });

  test("offers nothing that is refused", async () => {
    const { page } = await open(FAILED);
    await heading(page).waitFor();
    expect(await page.locator("main li > button:visible").allTextContents()).toEqual(["Retry all"]);
    const items = page.locator("[role=menuitem]:visible");
    await page.locator("button:has(.lucide-ellipsis-vertical)").first().click();
    await items.first().waitFor();
    expect(await items.allTextContents()).toEqual(["Retry all 1 failed jobs"]);
    await page.goto("/queues");
    await page.locator("main button:has(.lucide-ellipsis-vertical)").first().click();
    await items.first().waitFor();
    expect((await items.allTextContents()).slice(0, 2)).toEqual(["Retry 1 failed jobs in all queues", "Sort by"]);
  });

  test("offers nothing at all in read-only mode", async () => {
    const { page } = await open(FAILED, { readOnly: true });
    await heading(page).waitFor();
    expect(await besideJob(page).count()).toBe(0);
    expect(await page.locator("main li > button:visible").count()).toBe(0);
    expect(await page.locator("button:has(.lucide-ellipsis-vertical)").count()).toBe(0);
  });
});
