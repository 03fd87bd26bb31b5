import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { taskPage } from "../../src/control/task-view.ts";
import { delegable, row, startDelegation } from "../helpers/delegation.ts";
import { type FailedTask, get, post, WAYS } from "../helpers/putting-back.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { loseRedis } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A task whose agent crashes until there is a file in the project. */
const TEXT = "---\npriority: high\n---\nBuild it.\nagent: needs ready.txt\n";
const ATTEMPTS = 2;

const folder = (queue: QueueFixture, name: string) => join(queue.project, ".agent-queue", name);
const starts = async (queue: QueueFixture) => (await queue.witness()).filter(({ event }) => event === "start");

/** A task that has failed after all its attempts; the next one will get through. */
async function failedTask(): Promise<FailedTask> {
  const queue = await startQueue({ limits: `attempts: ${ATTEMPTS}, backoff: 10ms` });
  cleanups.push(async () => await queue.stop());
  await queue.drop("build.md", TEXT);
  await until("it has failed", () => queue.events.some(({ type }) => type === "failed"));
  expect(await starts(queue)).toHaveLength(ATTEMPTS);
  await writeFile(join(queue.project, "ready.txt"), "");
  const id = queue.events[0]?.id ?? "";
  return { queue, id, failed: join(folder(queue, "failed"), "build.md"), route: "local" };
}

describe("a task that failed after all its attempts is put back by", () => {
  test.each(Object.entries(WAYS))("%s: it runs once more, under its id, and is done", async (_way, putBack) => {
    const found = await failedTask();
    const { queue, id } = found;
    await putBack(found);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    await until("its end is told", () => queue.events.some(({ type }) => type === "done"));

    expect(await queue.names("inbox")).toEqual([]);
    expect(await queue.names("failed")).toEqual([]);
    const all = await starts(queue);
    expect(all.map(({ run }) => run)).toEqual([`${id}-1`, `${id}-2`, `${id}-3`]);
    const prompts = (await queue.witness()).filter(({ event }) => event === "submit").map((submit) => submit.firstLine);
    expect([prompts[0], prompts[2]]).toEqual(["Build it.", "Build it."]);

    const text = await queue.read("done", "build.md");
    expect(text.startsWith(TEXT)).toBe(true);
    expect(text.match(/<!-- ccl-queue:footer -->/g)).toHaveLength(1);
    expect(row(text, "run")).toBe(`${id}-3`);
    expect(row(text, "attempts")).toBe("1");

    const task = await get(queue, id);
    expect(task).toMatchObject({ id, state: "done", attempts: 1, priority: "high", task: "alpha/build.md" });
    const types = task.timeline.map(({ type }) => type);
    expect(types.filter((type) => ["seen", "retrying", "failed", "done"].includes(type))).toEqual([
      ...["seen", "retrying", "failed"],
      ...["seen", "done"],
    ]);
    expect(queue.errors).toEqual([]);
  });
});

describe("a task that is put back", () => {
  test("has one job, and the old one is gone", async () => {
    const { queue, id } = await failedTask();
    await askDaemon(queue.config.stateDir, "POST", "/api/hold", z.object({ hold: holdView }), { body: {} });
    await post(queue, `/api/tasks/${id}/retry`);
    // It is known all the time, as what it was or what it is.
    await until("it waits", async () => (await get(queue, id)).state === "waiting");
    const page = await askDaemon(queue.config.stateDir, "GET", "/api/tasks", taskPage);
    expect(page.tasks.map((task) => `${task.id} ${task.state}`)).toEqual([`${id} waiting`]);
    await expect(post(queue, `/api/tasks/${id}/retry`)).rejects.toMatchObject({ code: "TASK_NOT_OVER" });
  });

  test("twice at the same moment runs once", async () => {
    const { queue, id } = await failedTask();
    const ask = async () => await fetch(`${queue.app.url}/api/tasks/${id}/retry`, { method: "POST" });
    const answers = (await Promise.all(Array.from({ length: 8 }, ask))).map(({ status }) => status);
    // The slower ones find no file any more, or a task that waits.
    expect(answers.filter((status) => ![200, 404, 409].includes(status))).toEqual([]);
    expect(answers).toContain(200);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    await until("its end is told", () => queue.events.some(({ type }) => type === "done"));
    expect(await queue.names("inbox")).toEqual([]);
    expect(await starts(queue)).toHaveLength(ATTEMPTS + 1);
  });

  test("as two copies is two tasks: one has the id, both run", async () => {
    const { queue, id, failed } = await failedTask();
    await copyFile(failed, join(folder(queue, "inbox"), "copy.md"));
    await rename(failed, join(folder(queue, "inbox"), "build.md"));
    expect(await queue.settled("done", 2)).toEqual(["build.md", "copy.md"]);
    const runs = await Promise.all(
      ["build.md", "copy.md"].map(async (name) => row(await queue.read("done", name), "run")),
    );
    expect(new Set(runs).size).toBe(2);
    expect(runs.filter((run) => run === `${id}-3`)).toHaveLength(1);
  });

  test("and stays in failed/ as a copy, too, is not taken for done already", async () => {
    const { queue, id, failed } = await failedTask();
    await copyFile(failed, join(folder(queue, "inbox"), "build.md"));
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    expect(await queue.names("failed")).toEqual(["build.md"]);
    expect(row(await queue.read("done", "build.md"), "run")).toBe(`${id}-3`);
  });

  test("in another project is another task: no id is taken from elsewhere", async () => {
    const { queue, id, failed } = await failedTask();
    const other = join(queue.dir, "projects", "beta");
    await mkdir(join(other, ".agent-queue", "inbox"), { recursive: true });
    await writeFile(join(other, "ready.txt"), "");
    await queue.drop("build.md", await readFile(failed, "utf8"), other);
    await until("it is done", async () => (await queue.names("done", other)).includes("build.md"));
    const text = await readFile(join(other, ".agent-queue", "done", "build.md"), "utf8");
    expect(row(text, "run")).not.toContain(id);
    expect((await get(queue, id)).state).toBe("failed");
  });

  test("after its job was forgotten has its id and its numbers all the same", async () => {
    const { queue, id, failed } = await failedTask();
    await queue.app.stop();
    await loseRedis(queue.config);
    await rename(failed, join(folder(queue, "inbox"), "build.md"));
    await queue.app.start();
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    expect(row(await queue.read("done", "build.md"), "run")).toBe(`${id}-3`);
  });
});

test("all failed tasks are put back at once, not those that were cancelled or cannot be read", async () => {
  const { queue } = await failedTask();
  await queue.drop("bad.md", "---\ntitle: [\n---\nDo it.\n");
  await queue.drop("second.md", "agent: needs other.txt\n");
  await queue.drop("slow.md", "agent: work 60s\n");
  const isAtWork = async () => (await queue.witness()).some(({ firstLine }) => firstLine === "agent: work 60s");
  await until("it runs", isAtWork);
  await post(queue, "/api/tasks/slow.md/cancel");
  await queue.settled("failed", 4);
  await writeFile(join(queue.project, "other.txt"), "");
  const response = await fetch(`${queue.app.url}/api/tasks/retry`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ project: basename(queue.project) }),
  });
  expect(response.status).toBe(200);
  expect(await queue.settled("done", 2)).toEqual(["build.md", "second.md"]);
  expect(await queue.names("failed")).toEqual(["bad.md", "slow.md"]);
});

test("a file that was rejected stays where it is, with the reason, until it is mended", async () => {
  const queue = await startQueue();
  cleanups.push(async () => await queue.stop());
  await queue.drop("bad.md", "---\ntitle: [\n---\nDo it.\n");
  await queue.settled("failed", 1);
  const path = "/api/tasks/bad.md/retry";
  const refused = await fetch(`${queue.app.url}${path}`, { method: "POST" });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    code: "TASK_INVALID",
    detail: expect.stringMatching(/^alpha\/bad\.md cannot be run: the frontmatter cannot be read: line \d+/),
    hint: expect.stringContaining(join(folder(queue, "failed"), "bad.md")),
  });
  expect([await queue.names("inbox"), await queue.names("failed")]).toEqual([[], ["bad.md"]]);
  const text = await queue.read("failed", "bad.md");
  await writeFile(join(folder(queue, "failed"), "bad.md"), text.replace("title: [", "title: []"));
  await post(queue, path);
  expect(await queue.settled("done", 1)).toEqual(["bad.md"]);
});

test("a delegated task that failed goes out anew: the platform is not asked about the old attempt", async () => {
  const delegation = await startDelegation({ platform: { delayMs: 0 } });
  cleanups.push(async () => await delegation.stop());
  const { queue, platform } = delegation;
  await queue.drop("x.md", delegable("secutools: fail broken", "preferred_ai: gpu"));
  await until("it has failed", () => delegation.events("failed").length === 1);
  const id = delegation.events("failed")[0]?.id ?? "";
  await post(queue, `/api/tasks/${id}/retry`);
  await until("it has failed again", () => delegation.events("failed").length === 2);
  expect(platform.jobs().map(({ key }) => key)).toEqual([`${id}-1`, `${id}-2`]);
  expect(await queue.names("failed")).toEqual(["x.md"]);
  expect(row(await queue.read("failed", "x.md"), "run")).toBe(`${id}-2`);
});
