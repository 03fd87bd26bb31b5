import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { commanded, type TaskDraft, taskDetail, taskPage } from "../../src/control/task-view.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
beforeEach(async () => {
  queue = await startQueue();
});
afterEach(async () => await queue.stop());

const inbox = () => join(queue.project, ".agent-queue", "inbox");
const add = async (draft: TaskDraft) =>
  await askDaemon(queue.config.stateDir, "POST", "/api/tasks", commanded, { body: draft });
const hold = async () =>
  await askDaemon(queue.config.stateDir, "POST", "/api/hold", z.object({ hold: holdView }), { body: {} });
const tasks = async () => await askDaemon(queue.config.stateDir, "GET", "/api/tasks", taskPage);

/** The answer of the HTTP server to whatever is sent. */
async function post(body: unknown): Promise<{ status: number; code: unknown }> {
  const headers = { "content-type": "application/json" };
  const sent = { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) };
  const response = await fetch(`${queue.app.url}/api/tasks`, sent);
  const answer = z.object({ code: z.unknown() }).parse(await response.json());
  return { status: response.status, code: answer.code };
}

describe("a task that is added", () => {
  test("is where the answer says, is run, and is done", async () => {
    const added = await add({ text: "---\ntitle: Say hello\n---\nagent: say Hello.\n", priority: "critical" });
    expect(added).toEqual({ task: "alpha/say-hello.md", path: join(inbox(), "say-hello.md") });
    expect(await queue.settled("done", 1)).toEqual(["say-hello.md"]);
    await until("its end is told", () => queue.events.some(({ type }) => type === "done"));
    const path = `/api/tasks/${encodeURIComponent(added.task)}`;
    const task = await askDaemon(queue.config.stateDir, "GET", path, taskDetail);
    expect(task).toMatchObject({ state: "done", priority: "critical", title: "Say hello", result: "Hello." });
    expect(task.prompt).toBe("agent: say Hello.\n");
    expect((await queue.witness()).filter(({ event }) => event === "submit")).toHaveLength(1);
    expect(queue.errors).toEqual([]);
  });

  test("into a project that has had none is found there", async () => {
    const project = join(queue.dir, "projects", "beta");
    await mkdir(project);
    expect(await add({ text: "Do it.\n", project: "beta" })).toMatchObject({ task: "beta/do-it.md" });
    await until("it is done", async () => (await queue.names("done", project)).join() === "do-it.md");
  });

  test("goes before those that are less urgent", async () => {
    await hold();
    for (const priority of ["low", "critical", "default", "high"] as const)
      await add({ text: "Do it.\n", name: priority, priority });
    await until("all wait", () => queue.events.filter(({ type }) => type === "routed").length === 4);
    expect((await tasks()).tasks.map(({ name }) => name)).toEqual(["critical.md", "high.md", "default.md", "low.md"]);
  });

  test("is one of many that are added at once, and each is done once", async () => {
    const added = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => await add({ text: `Task ${index}.\n`, name: "same" })),
    );
    expect(new Set(added.map(({ path }) => path)).size).toBe(6);
    await queue.settled("done", 6, 25_000);
    const prompts = (await queue.witness()).filter(({ event }) => event === "submit").map(({ firstLine }) => firstLine);
    expect(prompts.toSorted()).toEqual(Array.from({ length: 6 }, (_, index) => `Task ${index}.`).toSorted());
  });
});

test("whoever looks into the inbox sees a file whole or not at all", async () => {
  await hold();
  const text = `${"All of it. ".repeat(90_000)}\nThe end.\n`;
  const seen: string[] = [];
  const parts: string[] = [];
  const look = async () => {
    for (const name of (await readdir(inbox())).filter((entry) => entry.endsWith(".md"))) {
      seen.push(name);
      if ((await readFile(join(inbox(), name), "utf8")) !== text) parts.push(name);
    }
  };
  let isOver = false;
  const looking = (async () => {
    while (!isOver) await look();
  })();
  const added = await Promise.all(Array.from({ length: 10 }, async () => await add({ text, name: "large" })));
  isOver = true;
  await looking;
  await look();
  expect(new Set(seen).size).toBe(10);
  expect(parts).toEqual([]);
  await until("all are tasks", async () => (await tasks()).total === added.length);
  expect(queue.events.filter(({ type }) => type === "rejected" || type === "updated")).toEqual([]);
});

describe("what cannot be added is refused with a reason, and nothing is written:", () => {
  test.each<[string, unknown, number, string]>([
    ["a header that cannot be read", { text: "---\n: [\n---\nx\n" }, 422, "TASK_INVALID"],
    ["nothing to do", { text: "---\ntitle: a\n---\n" }, 422, "TASK_INVALID"],
    ["a name that leads elsewhere", { text: "x", name: "../x" }, 422, "TASK_INVALID"],
    ["a name that is too long", { text: "x", name: "ü".repeat(200) }, 422, "TASK_INVALID"],
    ["a project that nobody watches", { text: "x", project: "nobody" }, 404, "PROJECT_UNKNOWN"],
    ["no text", {}, 400, "REQUEST_INVALID"],
    ["an empty text", { text: "" }, 400, "REQUEST_INVALID"],
    ["a priority that nobody knows", { text: "x", priority: "soon" }, 400, "REQUEST_INVALID"],
    ["a key that nobody knows", { text: "x", path: "/etc/x" }, 400, "REQUEST_INVALID"],
    ["no JSON", "{", 400, "REQUEST_INVALID"],
  ])("%s", async (_what, body, status, code) => {
    const answer = await post(body);
    expect(answer.code).toBe(code);
    expect(Math.floor(answer.status / 100)).toBe(4);
    expect(answer.status).toBe(status);
    expect(await queue.names("inbox")).toEqual([]);
    expect((await tasks()).total).toBe(0);
  });
});
