import { describe, expect, test } from "vitest";
import { overview } from "../../src/control/overview.ts";
import { taskView } from "../../src/control/task-view.ts";
import { QueueError } from "../../src/core/errors.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { exampleDetail, exampleOverview, exampleTask } from "../helpers/dashboard-data.ts";
import { EVIL, evilAnswers } from "../helpers/hostile-tasks.ts";

describe("the examples", () => {
  test("are what the daemon could answer", () => {
    expect(overview.safeParse(exampleOverview({ held: true })).error).toBeUndefined();
    expect(taskView.safeParse(exampleTask(3, "failed")).error).toBeUndefined();
  });
});

describe("the first page", () => {
  test("shows each session with its task, its screen and how to attach", async () => {
    const { html, status } = await dashboardWith().page("/");
    expect(status).toBe(200);
    for (const { name, attach, run } of exampleOverview().sessions) {
      expect(html).toContain(`<h3>${name}</h3>`);
      expect(html).toContain(attach);
      expect(run === null || html.includes(`href="/tasks/${run.job}"`)).toBe(true);
    }
    expect(html).toContain("14 tests passed in 3 s");
  });

  test("shows the last lines of a pane that hold anything", async () => {
    const [first, ...others] = exampleOverview().sessions;
    const screen = Array.from({ length: 30 }, (_, line) => `line ${line}.\n`).join("");
    const sessions = first === undefined ? [] : [{ ...first, screen: `${screen}\n\n  \n` }, ...others];
    const { html } = await dashboardWith({ overview: async () => ({ ...exampleOverview(), sessions }) }).page("/");
    expect(html).toContain("line 22.\nline 23.");
    expect(html).toContain("line 29.</code>");
    expect(html).not.toContain("line 21.");
  });

  test("says why a task is with the platform, and why a session has one that should be there", async () => {
    const [first, ...sessions] = exampleOverview().sessions;
    if (!first?.run) throw new Error("the first session has no run");
    const { waiting, ...example } = exampleOverview();
    const reason = "secutools would not take it: <503> unavailable";
    const run = { ...first.run, reason };
    const [next, ...others] = waiting.tasks.map((task) => ({ ...task, reason: "allow_delegation is not true" }));
    if (next === undefined) throw new Error("nothing waits");
    const tasks = [{ ...next, reason }, ...others];
    const seen = { ...example, sessions: [{ ...first, run }, ...sessions], waiting: { ...waiting, tasks } };
    const { html } = await dashboardWith({ overview: async () => seen }).page("/");
    const [, cards = "", waits = "", delegated = ""] =
      /id="sessions"(.*)id="waiting"(.*)id="delegated"(.*)id="finished"/s.exec(html) ?? [];
    const told = "secutools would not take it: &lt;503&gt; unavailable</small>";
    expect(cards.split(told)).toHaveLength(2);
    expect(cards).toContain("allow_delegation is not true</small>");
    expect(waits.split("</small>")).toHaveLength(2);
    expect(waits).toContain(told);
    expect(delegated.split("complexity_hint is low</small>")).toHaveLength(4);
  });

  test("says first who needs a person", async () => {
    const { html } = await dashboardWith().page("/");
    expect(html.indexOf("waits for a person")).toBeGreaterThan(0);
    expect(html.indexOf("waits for a person")).toBeLessThan(html.indexOf("<h2"));
    const calm = await dashboardWith({ overview: async () => exampleOverview({ attention: false }) }).page("/");
    expect(calm.html).not.toContain("waits for a person");
    expect(calm.html).toContain("All is well");
  });

  test("shows the other hosts, of other workspaces too, and nothing of them where there are none", async () => {
    const text = (html: string) => html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
    const { html } = await dashboardWith().page("/");
    expect(text(html)).toMatch(/Other hosts 2 held default build-2-9d41c0 the pool is held until .* 4 of 10 busy/);
    expect(text(html)).toMatch(/gone nightly laptop-77ab02 4 of 10 busy 63 waiting 3 delegated .* ago/);
    const alone = await dashboardWith({ overview: async () => ({ ...exampleOverview(), others: [] }) }).page("/");
    expect(text(alone.html)).not.toContain("Other hosts");
  });

  test("shows the first of what waits, and how many more", async () => {
    const { html } = await dashboardWith({ overview: async () => exampleOverview({ waiting: 10_000 }) }).page("/");
    expect(html).toContain("and 9,950 more");
  });

  test.each([
    ["2026-03-02T14:28:00.000Z", "No task is launched for"],
    ["2026-03-02T14:01:00.000Z", "One task goes first"],
    [null, "No task is launched until somebody resumes."],
  ])("says of a hold until %s: %s", async (until, words) => {
    const held = exampleOverview({ held: true });
    const hold = { kind: "limit", since: held.status.at, until, message: "You've hit your limit" } as const;
    const { html } = await dashboardWith({
      overview: async () => ({ ...held, status: { ...held.status, hold } }),
    }).page("/");
    expect(html).toContain(words);
    expect(html).toContain("You&#39;ve hit your limit");
    expect(html).toContain('action="/resume"');
    expect(html).not.toContain('action="/hold"');
  });

  test("has no button that changes something in read-only mode", async () => {
    const fixture = dashboardWith(
      { tasks: async () => ({ total: 1, offset: 0, tasks: [exampleTask(1, "failed")] }) },
      { readOnly: true },
    );
    for (const path of ["/", "/tasks", "/tasks/k1"]) {
      const { html } = await fixture.page(path);
      expect(html).toContain("read-only");
      expect(html).not.toContain('method="post"');
    }
  });

  test("is an answer for people where nothing can be read", async () => {
    const error = new QueueError("tmux does not answer", { code: "TMUX_FAILED", hint: "look at the tmux server" });
    const { html, status } = await dashboardWith({ overview: async () => await Promise.reject(error) }).page("/");
    expect(status).toBe(503);
    for (const word of ["TMUX_FAILED", "tmux does not answer", "look at the tmux server"]) expect(html).toContain(word);
  });
});

describe("what strangers wrote", () => {
  test("is text everywhere", async () => {
    const fixture = dashboardWith(evilAnswers());
    const asked = `?project=${encodeURIComponent(EVIL)}&tag=${encodeURIComponent(EVIL)}&state=${encodeURIComponent(EVIL)}`;
    for (const path of ["/", "/tasks", `/tasks${asked}`, "/tasks/k1", `/nowhere/${encodeURIComponent(EVIL)}`]) {
      const { html } = await fixture.page(path);
      expect(html).toContain("&lt;img src");
      expect(html).not.toMatch(/<img|<script>|alert\(2\)<\/script/);
      expect(html).not.toContain('onerror="alert');
      // In its own direction, so that it cannot turn around what stands beside it.
      expect(html.match(/\u202e/g)?.length).toBeGreaterThan(0);
    }
  });

  test("leaves no page with a style, a script or an address of its own", async () => {
    const fixture = dashboardWith({ overview: async () => exampleOverview({ held: true }) });
    for (const path of ["/", "/tasks", "/tasks/k1", "/nowhere"]) {
      const { html } = await fixture.page(path);
      expect(html).not.toMatch(/\sstyle=|\son\w+=|<style|javascript:/i);
      expect(html.match(/<script[^>]*>/g)?.every((tag) => tag.includes(' src="/assets/'))).toBe(true);
      expect(html).not.toMatch(/(?:href|src|action)="(?!\/(?!\/)|#)/);
    }
  });
});

describe("a task's page", () => {
  test("tells what happened, why it failed and what it was told", async () => {
    const { html } = await dashboardWith().page("/tasks/k1");
    for (const words of [
      ...["Fix the flaky login test", "site/fix-the-flaky-login-test.md", "allow_delegation is not true"],
      ...["RUN_CRASHED", "Do not raise a timeout.", "took the prompt", "Read test/login.test.ts", "ccl-auto-11"],
      ...['action="/tasks/k1/retry"', 'href="/queues/queue/local/k1"'],
    ]) {
      expect(html).toContain(words);
    }
    expect(html).not.toContain("/cancel");
  });

  test("shows the screen and how to attach while it runs, and can cancel it", async () => {
    const { html } = await dashboardWith({ task: async () => exampleDetail("running") }).page("/tasks/k1");
    expect(html).toContain("14 tests passed");
    expect(html).toContain("tmux -L ccl attach -t =ccl-auto-11");
    expect(html).toContain("/cancel");
    expect(html).not.toContain("/retry");
  });

  test("does without the screen where the session is not of this host", async () => {
    const gone = async () => await Promise.reject(new QueueError("no session", { code: "SESSION_UNKNOWN" }));
    const { html, status } = await dashboardWith({ task: async () => exampleDetail("running"), screen: gone }).page(
      "/tasks/k1",
    );
    expect(status).toBe(200);
    expect(html).not.toContain("14 tests passed");
  });

  test("shows the last steps of very many, and says that there are more", async () => {
    const timeline = Array.from({ length: 5_000 }, (_, index) => ({
      at: "2026-03-02T14:00:00Z",
      type: "tool",
      text: `step ${index}.`,
    }));
    const { html } = await dashboardWith({ task: async () => ({ ...exampleDetail("done"), timeline }) }).page(
      "/tasks/k1",
    );
    expect(html).toContain("step 4999.");
    expect(html).not.toContain("step 4799.");
    expect(html).toContain("4,800 earlier steps");
  });

  test("of a task that nobody knows is not there", async () => {
    const error = new QueueError("no task is called k9", { code: "TASK_UNKNOWN", hint: "look at the list" });
    const { html, status } = await dashboardWith({ task: async () => await Promise.reject(error) }).page("/tasks/k9");
    expect(status).toBe(404);
    expect(html).toContain("TASK_UNKNOWN");
    expect(html).toContain("look at the list");
  });
});

describe("the list of tasks", () => {
  test("asks for what the address says, page by page", async () => {
    const asked: unknown[] = [];
    const fixture = dashboardWith({
      tasks: async (filter) => {
        asked.push(filter);
        return { total: 120, offset: filter.offset, tasks: [exampleTask(1, "failed")] };
      },
    });
    const { html } = await fixture.page("/tasks?state=failed&project=site&route=local&tag=ci&offset=50");
    expect(asked).toEqual([{ state: ["failed"], project: "site", route: "local", tag: "ci", limit: 50, offset: 50 }]);
    expect(html).toContain("51–100 of 120");
    expect(html).toContain("/tasks?state=failed&amp;project=site&amp;route=local&amp;tag=ci&amp;offset=100");
    expect(html).toContain('action="/tasks/retry-failed?project=site"');
    expect(html).toMatch(/<option value="failed" selected/);
  });

  test("leaves out what makes no sense", async () => {
    const asked: unknown[] = [];
    const fixture = dashboardWith({
      tasks: async (filter) => {
        asked.push(filter);
        return { total: 0, offset: 0, tasks: [] };
      },
    });
    const { status, html } = await fixture.page("/tasks?state=odd&route=moon&offset=-3");
    expect(status).toBe(200);
    expect(asked).toEqual([{ state: [], limit: 50, offset: 0 }]);
    expect(html).toContain("No task is like that.");
  });
});

describe("a button", () => {
  test.each([
    ["/tasks/k1/retry", "/tasks/k1", "retry k1"],
    ["/tasks/site%2Ffix.md/cancel", "/tasks/site%2Ffix.md", "cancel site/fix.md"],
    ["/tasks/retry-failed", "/tasks?state=failed", "retryAll null"],
    ["/tasks/retry-failed?project=site", "/tasks?state=failed", "retryAll site"],
    ["/hold", "/", "hold"],
    ["/resume", "/", "resume"],
  ])("that posts to %s leads to %s and does %s", async (path, to, what) => {
    const fixture = dashboardWith();
    const answer = await fixture.post(path);
    expect({ status: answer.status, to: answer.to, asked: fixture.asked }).toEqual({ status: 303, to, asked: [what] });
  });

  test("is told of once, on the next page", async () => {
    const fixture = dashboardWith();
    const { cookie } = await fixture.post("/tasks/k1/retry");
    const next = await fixture.page("/tasks/k1", { cookie });
    expect(next.html).toContain("It was put back into the inbox");
    expect(next.headers.get("set-cookie")).toMatch(/^ccl_queue_flash=; Max-Age=0/);
    expect((await fixture.page("/tasks/k1")).html).not.toContain("It was put back");
  });

  test.each(["nonsense", Buffer.from("{}").toString("base64url"), Buffer.from("[").toString("base64url"), "%00"])(
    "is not told of by the cookie %j",
    async (value) => {
      const { status, html } = await dashboardWith().page("/", { cookie: `ccl_queue_flash=${value}` });
      expect(status).toBe(200);
      expect(html).not.toContain('class="flash');
    },
  );

  test("that cannot do it says why, with the code and what to do", async () => {
    const error = new QueueError("site/x.md waits", { code: "TASK_NOT_OVER", hint: "cancel it first" });
    const fixture = dashboardWith({ retry: async () => await Promise.reject(error) });
    const { cookie, to } = await fixture.post("/tasks/k1/retry");
    expect(to).toBe("/tasks/k1");
    const { html } = await fixture.page("/tasks/k1", { cookie });
    expect(html).toContain("TASK_NOT_OVER: site/x.md waits. cancel it first");
  });

  test("that meets what nobody foresaw tells the log, and a page without details", async () => {
    const fixture = dashboardWith({ retry: async () => await Promise.reject(new Error("secret detail")) });
    const { status, html } = await fixture.post("/tasks/k1/retry");
    expect(status).toBe(500);
    expect(html).toContain("INTERNAL_ERROR");
    expect(html).not.toContain("secret detail");
    expect(fixture.errors).toHaveLength(1);
  });
});

describe("the form for a task", () => {
  test("adds it, with its lines as files have them", async () => {
    const fixture = dashboardWith();
    const fields = { project: "/srv/projects/site", priority: "high", text: "Line one\r\nline two" };
    const { to, cookie } = await fixture.post("/tasks", fields);
    expect(to).toBe("/");
    const draft = { text: "Line one\nline two", project: "/srv/projects/site", priority: "high" };
    expect(fixture.asked).toEqual([`add ${JSON.stringify(draft)}`]);
    const { html } = await fixture.page("/", { cookie });
    expect(html).toContain("site/x.md was added.");
    expect(html).toContain('href="/tasks/site%2Fx.md"');
  });

  test("leaves the priority to the text", async () => {
    const fixture = dashboardWith();
    await fixture.post("/tasks", { project: "", priority: "", text: "x" });
    expect(fixture.asked).toEqual([`add ${JSON.stringify({ text: "x" })}`]);
  });

  test("comes back as it was when the task cannot be added", async () => {
    const error = new QueueError("line 2: bad YAML", { code: "TASK_INVALID", hint: "mend the frontmatter" });
    const fixture = dashboardWith({ add: async () => await Promise.reject(error) });
    const text = "---\ntitle: [\n---\n</textarea><b>do it</b>";
    const { status, html } = await fixture.post("/tasks", { project: "/srv/projects/api", priority: "low", text });
    expect(status).toBe(422);
    for (const words of ["TASK_INVALID", "line 2: bad YAML", "mend the frontmatter"]) expect(html).toContain(words);
    expect(html).toContain("title: [\n---\n&lt;/textarea&gt;&lt;b&gt;do it&lt;/b&gt;</textarea>");
    expect(html).toMatch(/<option value="\/srv\/projects\/api" selected/);
    expect(html).toMatch(/<option value="low" selected/);
  });
});

describe("an asset", () => {
  test.each(["dashboard.css", "dashboard.js", "live.js", "icon.svg"])(
    "such as %s is kept by browsers",
    async (name) => {
      const { status, headers } = await dashboardWith().page(`/assets/${name}`);
      expect(status).toBe(200);
      expect(headers.get("cache-control")).toContain("immutable");
    },
  );

  test.each([
    "/assets/nothing.css",
    "/assets/../package.json",
    "/assets/%2e%2e%2fpackage.json",
    "/assets/styles/page.css",
  ])("%s is none", async (path) => {
    expect((await dashboardWith().page(path)).status).toBe(404);
  });
});
