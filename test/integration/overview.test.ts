import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { type Overview, overview } from "../../src/control/overview.ts";
import { taskPage } from "../../src/control/task-view.ts";
import { delegable, startDelegation } from "../helpers/delegation.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;

let queue: QueueFixture;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: FixtureOptions = {}): Promise<void> {
  queue = await startQueue(options);
  cleanups.push(queue.stop);
}

/** The answer, which holds nothing that its description does not know. */
async function look(): Promise<Overview> {
  const body = await askDaemon(queue.config.stateDir, "GET", "/api/overview", z.unknown());
  const found = overview.parse(body);
  expect(found).toEqual(body);
  return found;
}

async function lookWhen(what: string, isSo: (found: Overview) => boolean): Promise<Overview> {
  return await until(what, async () => {
    const found = await look();
    return isSo(found) && found;
  });
}

const hold = async () =>
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", z.object({ hold: holdView }), { body: {} });
const page = async (query = "") => await askDaemon(queue.config.stateDir, "GET", `/api/tasks${query}`, taskPage);
const names = ({ tasks }: { readonly tasks: readonly { readonly name: string }[] }) => tasks.map(({ name }) => name);
const NONE = { total: 0, tasks: [] };

describe("the overview of a queue", () => {
  test("with nothing to do", async () => {
    await start();
    const found = await lookWhen("all are idle", ({ sessions }) => sessions.every(({ state }) => state === "idle"));
    expect(found).toMatchObject({ workspace: queue.config.workspace, status: { verdict: "ok", runs: [] } });
    expect(found).toMatchObject({ waiting: NONE, delayed: NONE, delegated: NONE, finished: NONE });
    expect(found.sessions.map(({ name, screen, run }) => ({ name, screen, run }))).toEqual([
      { name: "ccl-auto-11", screen: "", run: null },
      { name: "ccl-auto-12", screen: "", run: null },
    ]);
    expect(found.history).toHaveLength(144);
    expect(found.history.every(({ utilisation }) => utilisation === null || utilisation === 0)).toBe(true);
  });

  test("that works, with what waits behind it, the most urgent first", async () => {
    await start({ sessions: 1 });
    await queue.drop("runs.md", "agent: hang\n");
    await lookWhen("it runs", ({ status }) => status.runs[0]?.phase === "running");
    for (const priority of ["low", "critical", "default"])
      await queue.drop(`${priority}.md`, `---\npriority: ${priority}\ntags: [x]\n---\nwaits\n`);
    const found = await lookWhen("three wait", ({ status }) => status.queues.local.waiting === 3);
    expect(names(found.waiting)).toEqual(["critical.md", "default.md", "low.md"]);
    expect(found.sessions).toMatchObject([{ state: "busy", run: { task: "alpha/runs.md", phase: "running" } }]);
    expect(found.sessions[0]?.screen).not.toBe("");
    expect(found.status.queues.local).toMatchObject({ active: 1, waiting: 3 });
  });

  test("that is held", async () => {
    await start();
    await hold();
    await queue.drop("waits.md", "waits\n");
    const found = await lookWhen("it waits", ({ waiting }) => waiting.total === 1);
    expect(found.status).toMatchObject({ verdict: "held", hold: { kind: "manual", until: null } });
  });

  test("that needs a person", async () => {
    await start({ promptTimeout: "500ms" });
    await queue.drop("asks.md", "agent: dialog Quick safety check: do you trust this folder?\n");
    const found = await lookWhen("it needs attention", ({ status }) => status.verdict === "attention");
    const session = found.sessions.find(({ run }) => run !== null);
    expect(session).toMatchObject({ state: "busy", run: { phase: "attention", task: "alpha/asks.md", stale: false } });
    expect(session?.screen).toContain("trust this folder");
  });

  test("some of whose tasks are over, the last first", async () => {
    await start();
    const ends: [string, string][] = [
      ["done.md", "agent: say Done.\n"],
      ["failed.md", "agent: exit 3\n"],
      ["rejected.md", "---\n: [\n---\nx\n"],
    ];
    for (const [name, text] of ends) {
      await queue.drop(name, text);
      await until(`${name} is over`, async () => (await queue.names("inbox")).length === 0);
    }
    const found = await lookWhen("two are over", ({ finished }) => finished.total === 2);
    expect(found.finished.tasks.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "failed.md failed",
      "done.md done",
    ]);
    expect(found.finished.tasks[0]?.error).toMatch(/^[A-Z_]+: /);
    expect(found.finished.tasks[1]).toMatchObject({ error: null, tokens: { input: expect.any(Number) } });
    expect(found).toMatchObject({ waiting: NONE, delayed: NONE });
  });

  test("some of whose tasks are tried again later", async () => {
    await start({ limits: "attempts: 2, backoff: 1h" });
    await queue.drop("fails.md", "agent: exit 3\n");
    const { delayed, waiting } = await lookWhen("it is put off", (found) => found.delayed.total === 1);
    expect(delayed.tasks).toMatchObject([{ name: "fails.md", state: "delayed", attempts: 1, finished_at: null }]);
    expect(waiting).toEqual(NONE);
  });

  test("some of whose tasks are out", async () => {
    const delegation = await startDelegation({ platform: { delayMs: HOUR_MS } });
    cleanups.push(delegation.stop);
    queue = delegation.queue;
    await queue.drop("out.md", delegable("A long one.", "preferred_ai: gpu"));
    const found = await lookWhen("it is out", ({ delegated }) => delegated.total === 1);
    expect(found.delegated.tasks).toMatchObject([
      { name: "out.md", state: "delegated", route: "delegated", provider: "gpu", session: null },
    ]);
    expect(found.status.delegation).toMatchObject({ configured: true });
  });

  test("whose platform would not take a task, which is one task wherever it is", async () => {
    const delegation = await startDelegation({ key: "wrong-key", sessions: 1 });
    cleanups.push(delegation.stop);
    queue = delegation.queue;
    await queue.drop("back.md", delegable("Here then.\nagent: work 3s", "preferred_ai: gpu"));
    await until("it runs here", () => delegation.events("submitted").length === 1);
    expect((await page()).tasks).toMatchObject([{ name: "back.md", state: "running", route: "local" }]);
    await queue.settled("done", 1);
    const found = await lookWhen("it is over", ({ finished }) => finished.tasks.length === 1);
    expect(found.finished).toMatchObject({ total: 1, tasks: [{ name: "back.md", state: "done", route: "local" }] });
    expect(await page()).toMatchObject({ total: 1 });
  });

  test("whose tmux server is gone", async () => {
    await start();
    await queue.tmux("kill-server");
    // While it ends, nothing is known of it.
    await until("it is gone", async () => await look().catch(() => null));
    const found = await lookWhen("none is left", ({ sessions }) => sessions.every(({ state }) => state === "missing"));
    expect(found.sessions).toHaveLength(2);
  });

  test("with more than fifty of a kind: fifty are shown, all are counted", async () => {
    await start();
    await hold();
    for (let index = 0; index < 55; index += 1) await queue.drop(`${String(index).padStart(2, "0")}.md`, "waits\n");
    const { waiting } = await lookWhen("all wait", (found) => found.waiting.total === 55);
    expect(waiting.tasks).toHaveLength(50);
  });
});

describe("a list of tasks", () => {
  /** Six tasks of two projects, in the order in which they would run. */
  async function startHeld(): Promise<string> {
    await start();
    await hold();
    const beta = join(queue.dir, "projects", "beta");
    await mkdir(join(beta, ".agent-queue", "inbox"), { recursive: true });
    for (const [index, priority] of ["critical", "high", "low"].entries()) {
      const header = (tags: string) => `---\npriority: ${priority}\ntags: [${tags}]\n---\nwaits\n`;
      await queue.drop(`a${index}.md`, header("x, common"));
      await until("it is there", async () => (await page()).total === 2 * index + 1);
      await queue.drop(`b${index}.md`, header("y, common"), beta);
      await until("both are there", async () => (await page()).total === 2 * index + 2);
    }
    await until("all are routed", async () => (await page("?route=local")).total === 6);
    return beta;
  }

  test("is filtered by project, route, tag and state, and all of them at once", async () => {
    const beta = await startHeld();
    const listed = async (query: string) => names(await page(query)).join(" ");
    const all = "a0.md b0.md a1.md b1.md a2.md b2.md";
    const path = encodeURIComponent(beta);
    expect({
      "": await listed(""),
      project: await listed("?project=alpha"),
      path: await listed(`?project=${path}`),
      noProject: await listed("?project=alph"),
      noPath: await listed(`?project=${path}%2F`),
      tag: await listed("?tag=y"),
      common: await listed("?tag=common"),
      noTag: await listed("?tag=commo"),
      local: await listed("?route=local"),
      delegated: await listed("?route=delegated"),
      waiting: await listed("?state=waiting"),
      states: await listed("?state=running&state=waiting"),
      over: await listed("?state=done&state=failed"),
      together: await listed("?state=waiting&route=local&project=beta&tag=y&limit=2"),
      nothing: await listed("?project=beta&tag=x"),
    }).toEqual({
      ...{ "": all, project: "a0.md a1.md a2.md", path: "b0.md b1.md b2.md", noProject: "", noPath: "" },
      ...{ tag: "b0.md b1.md b2.md", common: all, noTag: "", local: all, delegated: "", waiting: all, states: all },
      ...{ over: "", together: "b0.md b1.md", nothing: "" },
    });
  });

  test("comes page by page, each task once, and all are counted on each", async () => {
    await startHeld();
    const seen = [];
    for (let offset = 0; offset < 6; offset += 4) {
      const found = await page(`?limit=4&offset=${offset}`);
      expect(found).toMatchObject({ total: 6, offset });
      seen.push(...names(found));
    }
    expect(seen).toEqual(["a0.md", "b0.md", "a1.md", "b1.md", "a2.md", "b2.md"]);
    expect(await page("?offset=6")).toEqual({ total: 6, offset: 6, tasks: [] });
    expect(await page("?tag=y&limit=1&offset=1")).toMatchObject({ total: 3, offset: 1, tasks: [{ name: "b1.md" }] });
  });

  test.each([
    "?limit=0",
    "?limit=-1",
    "?limit=10001",
    "?limit=x",
    "?offset=-1",
    "?state=lost",
    "?route=inbox",
    "?other=x",
  ])("does not take %s", async (query) => {
    await start();
    await expect(page(query)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  });
});

describe("tasks that are put back together", () => {
  const answer = z.strictObject({ tasks: z.array(z.strictObject({ task: z.string(), path: z.string() })) });
  const retry = async (body: object) =>
    (await askDaemon(queue.config.stateDir, "POST", "/api/tasks/retry", answer, { body })).tasks;
  const failedPath = (name: string) => join(queue.project, ".agent-queue", "failed", name);

  test("are those that failed: not the cancelled, nor the rejected, nor whatever else lies there", async () => {
    await start();
    for (const name of ["one.md", "two.md"]) await queue.drop(name, "agent: exit 3\n");
    await queue.drop("rejected.md", "---\n: [\n---\nx\n");
    await queue.settled("failed", 3);
    await lookWhen("both are over", ({ finished }) => finished.total === 2);
    await hold();
    await queue.drop("cancelled.md", "x\n");
    await lookWhen("it waits", ({ waiting }) => waiting.total === 1);
    await askDaemon(queue.config.stateDir, "POST", "/api/tasks/cancelled.md/cancel", z.unknown(), { body: {} });
    await writeFile(failedPath("mine.md"), "Mine.\n");
    expect((await retry({ project: "alpha" })).map(({ task }) => task)).toEqual(["alpha/one.md", "alpha/two.md"]);
    expect(await queue.names("failed")).toEqual(["cancelled.md", "mine.md", "rejected.md"]);
    await lookWhen(
      "they wait",
      ({ waiting, finished }) => waiting.total === 2 && finished.tasks.every(({ state }) => state === "cancelled"),
    );
    expect(await retry({})).toEqual([]);
  });

  test("are of a project that is watched", async () => {
    await start();
    for (const project of ["nobody", "lpha", "", "/", "..", "alpha/"])
      await expect(retry({ project }), project).rejects.toMatchObject({
        code: expect.stringMatching(/^(PROJECT_UNKNOWN|REQUEST_INVALID)$/),
      });
    expect(await retry({ project: queue.project })).toEqual([]);
  });
});
