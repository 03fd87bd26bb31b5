import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { barriers, openPage, type Sight, startBrowser } from "../helpers/browser.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => await browser.close());

let sight: Sight | null = null;
afterEach(() => {
  // No test of a page may leave it complaining, or asking others.
  expect({ complaints: sight?.complaints ?? [], foreign: sight?.foreign ?? [] }).toEqual({
    complaints: [],
    foreign: [],
  });
  sight = null;
});

async function open(options: FixtureOptions = {}): Promise<{ queue: QueueFixture; page: Sight["page"]; url: string }> {
  const queue = await startQueue(options);
  onTestFinished(async () => await queue.stop());
  const url = queue.app.url ?? "";
  sight = await openPage(browser, url);
  await sight.page.goto("/");
  return { queue, page: sight.page, url };
}

const state = (page: Sight["page"], word: string) => page.locator("#head .badge", { hasText: word });

describe("an operator", () => {
  test("adds a task by the form, watches it at work and sees it finish", async () => {
    const { queue, page } = await open({ sessions: 2 });
    await page.getByLabel("Priority").selectOption("high");
    await page
      .getByLabel("Task", { exact: true })
      .fill("---\ntitle: Mend the gate\n---\nagent: work 3s\nagent: say The gate is mended.\n");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("was added.").waitFor();
    const card = page.locator(".card", { hasText: ".md" });
    await card.locator(".badge.live", { hasText: "busy" }).waitFor();
    await card.locator(".screen", { hasText: "working for 3s" }).waitFor();
    await page.locator("#stream", { hasText: "live" }).waitFor();
    await page
      .locator("#finished li", { hasText: "Mend the gate" })
      .locator(".badge.good", { hasText: "done" })
      .waitFor();
    const idle = page.locator(".card .badge", { hasText: "idle" });
    await until("both sessions are free again", async () => (await idle.count()) === 2);
    await page.locator("#finished").getByRole("link", { name: "Mend the gate" }).click();
    await page.getByText("The gate is mended.").first().waitFor();
    await page.locator("#timeline").getByText("took the prompt").waitFor();
    expect(await queue.settled("done", 1)).toHaveLength(1);
    expect(queue.errors).toEqual([]);
  });

  test("retries a failed task from its page, and sees it end well there", async () => {
    const { queue, page } = await open();
    // It crashes as long as the file is not there.
    await queue.drop("flaky.md", "agent: needs ready.txt\nagent: say It works now.\n");
    await page.locator("#finished li", { hasText: "flaky.md" }).locator(".badge.bad", { hasText: "failed" }).waitFor();
    await page.locator("#finished").getByRole("link", { name: "alpha/flaky.md" }).click();
    await page.locator("#outcome", { hasText: "RUN_CRASHED" }).waitFor();
    await mkdir(join(queue.project, "ready.txt"));
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByText("It was put back into the inbox").waitFor();
    await state(page, "done").waitFor();
    await page.locator("#outcome", { hasText: "It works now." }).waitFor();
    expect(await queue.names("done")).toEqual(["flaky.md"]);
    expect([...(await queue.names("failed")), ...(await queue.names("inbox"))]).toEqual([]);
  });

  test.each(["/", "/tasks"])("retries a failed task from its row of %s", async (path) => {
    const { queue, page } = await open();
    await queue.drop("flaky.md", "agent: needs ready.txt\n");
    await page.locator("#finished .badge.bad").waitFor();
    await mkdir(join(queue.project, "ready.txt"));
    await page.goto(path);
    await page.locator("li", { hasText: "alpha/flaky.md" }).getByRole("button", { name: "Retry" }).click();
    await page.getByText("It was put back into the inbox").waitFor();
    await state(page, "done").waitFor();
    expect(await queue.names("done")).toEqual(["flaky.md"]);
    expect([...(await queue.names("failed")), ...(await queue.names("inbox"))]).toEqual([]);
  });

  test("adds a task like another from that one's page", async () => {
    const { queue, page } = await open();
    await queue.drop("first.md", "---\ntitle: First\n---\nagent: say hello\n");
    await page.locator("#finished").getByRole("link", { name: "First" }).click();
    await page.getByRole("link", { name: "Add one like it" }).click();
    expect(await page.getByLabel("Project").locator("option:checked").textContent()).toBe("alpha");
    const text = page.locator("textarea");
    expect(await text.inputValue()).toBe("agent: say hello\n");
    await text.fill("---\ntitle: Second\n---\nagent: say hello again\n");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.locator("#finished li", { hasText: "Second" }).waitFor();
    expect(await queue.settled("done", 2)).toHaveLength(2);
  });

  test("retries all failed tasks from their list", async () => {
    const { queue, page } = await open();
    await queue.drop("one.md", "agent: needs ready.txt\n");
    await queue.drop("two.md", "agent: needs ready.txt\n");
    await page.locator("#finished .badge.bad").nth(1).waitFor();
    await mkdir(join(queue.project, "ready.txt"));
    page.on("dialog", async (dialog) => await dialog.accept());
    await page.goto("/tasks?state=failed&project=alpha");
    await page.getByRole("button", { name: "Retry all failed of alpha" }).click();
    await page.getByText("2 failed tasks put back into the inbox.").waitFor();
    expect(await queue.settled("done", 2)).toEqual(["one.md", "two.md"]);
  });

  test("cancels a running task from its page, when asked and sure", async () => {
    const { queue, page } = await open();
    await queue.drop("long.md", "agent: hang\n");
    await page.locator(".card").getByRole("link", { name: "alpha/long.md" }).click();
    await state(page, "running").waitFor();
    await page.locator("#screen .screen").waitFor();
    const answers = [false, true];
    page.on("dialog", async (dialog) => await (answers.shift() ? dialog.accept() : dialog.dismiss()));
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await state(page, "running").count()).toBe(1);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("It was cancelled").waitFor();
    await state(page, "cancelled").waitFor();
    expect(await queue.settled("failed", 1)).toEqual(["long.md"]);
  });

  test("holds the pool and resumes it", async () => {
    const { queue, page } = await open();
    await page.getByRole("button", { name: "Hold" }).click();
    await page.getByText("No task is launched until somebody resumes.").waitFor();
    await queue.drop("later.md", "agent: say done\n");
    await page.locator("#waiting", { hasText: "alpha/later.md" }).waitFor();
    await page.getByRole("button", { name: "Resume now" }).click();
    await page.locator("#finished li", { hasText: "alpha/later.md" }).waitFor();
    expect(await page.getByRole("button", { name: "Resume now" }).count()).toBe(0);
  });

  test("is told first of a session that needs a person", async () => {
    const { queue, page } = await open();
    await queue.drop("ask.md", "agent: ask Which colour?\n");
    const need = page.locator("#attention", { hasText: "alpha/ask.md" });
    await need.waitFor();
    expect(await need.textContent()).toContain("waits for a person");
    await until("the tab says it", async () => (await page.title()).startsWith("(1)"));
    expect(await page.locator("h1").textContent()).toBe("Needs attention");
  });

  test("can do without scripts", async () => {
    const { queue, url } = await open();
    sight = await openPage(browser, url, { javaScriptEnabled: false });
    const { page } = sight;
    await page.goto("/");
    await page.getByLabel("Task", { exact: true }).fill("agent: needs ready.txt\n");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("was added.").waitFor();
    const [name = ""] = await queue.settled("failed", 1);
    const link = page.getByRole("link", { name: `alpha/${name}` });
    await until("it is in the list", async () => {
      await page.goto("/tasks?state=failed");
      return (await link.count()) > 0;
    });
    await link.click();
    await mkdir(join(queue.project, "ready.txt"));
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByText("It was put back into the inbox").waitFor();
    expect(await queue.settled("done", 1)).toEqual([name]);
  });
});

describe("somebody without the token", () => {
  const TOKEN = "a-token-for-this-test";

  test("is sent to the login, gets in with the token, and out again", async () => {
    const { page } = await open({ token: TOKEN });
    expect(new URL(page.url()).pathname).toBe("/login");
    expect(await page.locator(".card").count()).toBe(0);
    await page.goto("/tasks?state=failed");
    await page.locator("input[name=token]").fill(TOKEN);
    await page.getByRole("button").first().click();
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
    expect(new URL(page.url()).search).toBe("?state=failed");
    await page.goto("/");
    await page.locator("#stream", { hasText: "live" }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.goto("/");
    expect(new URL(page.url()).pathname).toBe("/login");
  });
});

describe("somebody with a wrong token", () => {
  test("is told so and gets in nowhere, until it is the right one", async () => {
    const { page } = await open({ token: "a-token-for-this-test" });
    const logIn = async (token: string) => {
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Log in" }).click();
    };
    await logIn("a-token-for-another-test");
    expect(await page.getByRole("alert").textContent()).toBe("That is not the token.");
    expect(await barriers(page)).toEqual([]);
    // What the browser itself says of an answer that is a refusal.
    expect(sight?.complaints.splice(0)).toEqual([expect.stringMatching(/status of 401 .*\/login$/)]);
    for (const path of ["/", "/queues", "/tasks"]) {
      await page.goto(path);
      expect(new URL(page.url()).pathname).toBe("/login");
    }
    await logIn("a-token-for-this-test");
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
  });
});

describe("who cannot see well, or uses no mouse", () => {
  test("meets no barrier on any page", async () => {
    const { queue, page } = await open({ token: "t0ken" });
    expect(await barriers(page)).toEqual([]);
    await page.locator("input[name=token]").fill("t0ken");
    await page.getByRole("button").first().click();
    await queue.drop("bad.md", "---\ntitle: It fails\ntags: [ci]\npriority: critical\n---\nagent: exit 3\n");
    await queue.drop("ask.md", "agent: ask Which colour?\n");
    await page.locator("#attention", { hasText: "ask.md" }).waitFor();
    await page.locator("#finished", { hasText: "It fails" }).waitFor();
    await queue.drop("queued.md", "agent: hang\n");
    await page.locator(".card .screen").nth(1).waitFor();
    for (const path of ["/", "/tasks", "/tasks/alpha%2Fask.md", "/tasks/alpha%2Fbad.md"]) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.goto(path);
        expect({ path, colorScheme, found: await barriers(page) }).toEqual({ path, colorScheme, found: [] });
      }
    }
  });

  test("skips to the content and reaches every button by keys", async () => {
    const { page } = await open();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement?.id")).toBe("main");
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement?.textContent")) === "Add") break;
    }
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    expect(await page.evaluate("document.activeElement?.textContent")).toBe("Add");
  });
});
