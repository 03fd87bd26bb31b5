import { describe, expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { exampleDetail } from "../helpers/dashboard-data.ts";

const SITE = "/srv/projects/site";
/** What a link of a task's page leads to. */
const linkTo = (html: string, words: string) =>
  new RegExp(`href="([^"]+)">${words}<`).exec(html)?.[1]?.replaceAll("&amp;", "&") ?? "no such link";

describe("a task's page leads to the form", () => {
  test("with its project chosen", async () => {
    const fixture = dashboardWith({ task: async () => ({ ...exampleDetail("done"), project: "/srv/projects/api" }) });
    const link = linkTo((await fixture.page("/tasks/k1")).html, "Add a task");
    expect(link.endsWith("#add")).toBe(true);
    const { html, status } = await fixture.page(link);
    expect(status).toBe(200);
    expect(html).toMatch(/<option value="\/srv\/projects\/api" selected/);
    expect(html).toMatch(/<textarea[^>]*><\/textarea>/);
    expect(html).not.toContain('class="flash');
  });

  test("with its project and its prompt, to be changed", async () => {
    const prompt = "Mend </textarea><b>it</b>\n";
    const fixture = dashboardWith({ task: async () => ({ ...exampleDetail("failed"), prompt }) });
    const link = linkTo((await fixture.page("/tasks/k1")).html, "Add one like it");
    const { html, status } = await fixture.page(link);
    expect(status).toBe(200);
    expect(html).toMatch(new RegExp(`<option value="${SITE}" selected`));
    expect(html).toContain("Mend &lt;/textarea&gt;&lt;b&gt;it&lt;/b&gt;\n</textarea>");
  });

  test("and not with a prompt that nobody can read any more", async () => {
    const fixture = dashboardWith({ task: async () => ({ ...exampleDetail("done"), prompt: null }) });
    const { html } = await fixture.page("/tasks/k1");
    expect(html).toContain("Add a task");
    expect(html).not.toContain("Add one like it");
  });

  test("whose project is chosen anew where it is watched no more", async () => {
    const { html } = await dashboardWith().page("/?project=%2Fsrv%2Fgone");
    expect(html).toContain('<option value="" selected="">choose one</option>');
    expect(html).not.toContain("/srv/gone");
    expect((await dashboardWith().page("/")).html).not.toContain("choose one");
  });

  test("and says so where the task is gone", async () => {
    const error = new QueueError("no task is called k9", { code: "TASK_UNKNOWN" });
    const { html, status } = await dashboardWith({ task: async () => await Promise.reject(error) }).page("/?like=k9");
    expect(status).toBe(404);
    expect(html).toContain("no task is called k9");
  });

  test("not in read-only mode", async () => {
    const fixture = dashboardWith({}, { readOnly: true });
    expect((await fixture.page("/tasks/k1")).html).not.toContain("#add");
    expect((await fixture.page(`/?project=${SITE}`)).html).not.toContain("<textarea");
  });
});
