import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { Fetcher } from "../../src/queue/fetcher.ts";
import { isAlive } from "../../src/workers/process.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

/** Longer than the agent still works. */
const SLOW_MS = 2_000;

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");
const prompts = async () =>
  (await queue.witness()).filter(({ event }) => event === "submit").map(({ firstLine }) => firstLine);
/** The tasks that something of this type was told of. */
const told = (type: string) =>
  queue.events.flatMap((event) => (event.type === type ? [`${event.task.project}: ${event.task.name}`] : [])).sort();
const other = () => join(queue.dir, "projects", "beta");

/** One task at work and two that wait. */
async function startWithTasks(work: string, sessions = 1): Promise<void> {
  queue = await startQueue({ sessions, sweep: "1s" });
  await queue.drop("running.md", `agent: work ${work}\n`);
  await until("it runs", async () => (await prompts()).length === 1);
  for (const name of ["a.md", "b.md"]) await queue.drop(name, `${name}\n`);
  await until("two wait", () => told("routed").length === 3);
}

/** A tmux that launches agents at once, and tells of it when that is called which this returns. */
async function slowTmux(): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-slow-tmux-"));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  const { PATH = "" } = process.env;
  const wait = `case "$*" in *launch.sh*) until [ -e '${dir}/answer' ]; do sleep 0.05; done ;; esac`;
  await writeFile(join(dir, "tmux"), `#!/bin/sh\nPATH='${PATH}'\ntmux "$@"\ncode=$?\n${wait}\nexit $code\n`, {
    mode: 0o755,
  });
  vi.stubEnv("PATH", `${dir}:${PATH}`);
  return async () => await writeFile(join(dir, "answer"), "");
}

/** The task is done on its second attempt, under its project's new name and as the same task. */
async function expectTriedAgainThere(): Promise<void> {
  await until("it is done", async () => (await queue.names("done", other())).includes("running.md"));
  expect(await prompts()).toHaveLength(2);
  expect(told("retrying")).toEqual([`${other()}: running.md`]);
  expect(new Set(queue.events.map(({ id }) => id)).size).toBe(1);
  expect(existsSync(queue.project)).toBe(false);
}

async function firstAgentIsGone(): Promise<boolean> {
  const [first] = await starts();
  return first !== undefined && !isAlive({ pid: first.pid, startTime: null });
}

describe("a project that is deleted while its tasks wait and run", () => {
  test("takes all of them with it: the agent is ended, others get its session, and nothing of it is made anew", async () => {
    await startWithTasks("60s");
    await rm(queue.project, { recursive: true });
    const all = ["a.md", "b.md", "running.md"].map((name) => `${queue.project}: ${name}`);
    await until("all are cancelled", () => told("cancelled").length === 3);
    expect(told("cancelled")).toEqual(all);
    expect(await firstAgentIsGone()).toBe(true);
    await mkdir(join(other(), ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("next.md", "next\n", other());
    await until("it is done", async () => (await queue.names("done", other())).includes("next.md"));
    expect(existsSync(queue.project)).toBe(false);
    expect(queue.errors).toEqual([]);
  });
});

describe("a project that is renamed while its tasks wait and run", () => {
  test("has them end under its new name, each once: those that wait as new ones, the one at work as it is", async () => {
    await startWithTasks("2s");
    await rename(queue.project, other());
    await until(
      "all are done",
      async () => (await queue.names("done", other())).join() === "a.md,b.md,running.md",
      30_000,
    );
    await until("nothing is on its way", async () => (await queue.names("inbox", other())).length === 0);
    expect((await prompts()).toSorted()).toEqual(["a.md", "agent: work 2s", "b.md"]);
    expect(told("cancelled")).toEqual(["a.md", "b.md"].map((name) => `${queue.project}: ${name}`));
    expect(existsSync(queue.project)).toBe(false);
    expect(queue.errors).toEqual([]);
  });

  test("has a task tried again there whose agent crashed, as the same task", async () => {
    queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 1s" });
    await queue.drop("running.md", "agent: work 2s\nagent: exit 7\n");
    await until("it runs", async () => (await prompts()).length === 1);
    await rename(queue.project, other());
    await expectTriedAgainThere();
  });

  test("has its task follow it also while tmux has not told yet that it has launched the agent", async () => {
    const answer = await slowTmux();
    queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 1s" });
    await queue.drop("running.md", "agent: exit 7\n");
    await until("it runs", async () => (await prompts()).length === 1);
    await rename(queue.project, other());
    // Its inbox is searched for what belongs to nobody before it is searched for what is new.
    await queue.drop("next.md", "next\n", other());
    await until("it is found", () => told("seen").includes(`${other()}: next.md`));
    await answer();
    await until("both are done", async () => (await queue.names("done", other())).join() === "next.md,running.md");
    expect(told("retrying")).toEqual([`${other()}: running.md`]);
    expect(told("cancelled")).toEqual([]);
    expect((await prompts()).length).toBe(3);
    expect(existsSync(queue.project)).toBe(false);
  });

  test("has its task tried again once, however long it takes to make its job anew under that name", async () => {
    const { discard } = Fetcher.prototype;
    vi.spyOn(Fetcher.prototype, "discard").mockImplementation(async function (this: Fetcher<never>, id) {
      await sleep(SLOW_MS);
      await discard.call(this, id);
    });
    queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 1s" });
    await queue.drop("running.md", "agent: work 1s\nagent: exit 7\n");
    await until("it runs", async () => (await prompts()).length === 1);
    await rename(queue.project, other());
    await expectTriedAgainThere();
  });

  test("to a place that is not watched loses its agent once it has been gone for a while", async () => {
    await startWithTasks("60s");
    await rename(queue.project, join(queue.dir, "elsewhere"));
    await until("it is cancelled", () => told("cancelled").includes(`${queue.project}: running.md`), 20_000);
    expect(await firstAgentIsGone()).toBe(true);
  });
});

test("a project that is moved away and comes back keeps its agent at work, and the task is done once", async () => {
  await startWithTasks("3s");
  await rename(queue.project, join(queue.dir, "elsewhere"));
  const awayMs = performance.now();
  await until("its agent has finished meanwhile", () => performance.now() - awayMs > 6_000);
  await rename(join(queue.dir, "elsewhere"), queue.project);
  expect(await queue.settled("done", 3, 20_000)).toEqual(["a.md", "b.md", "running.md"]);
  expect((await prompts()).toSorted()).toEqual(["a.md", "agent: work 3s", "b.md"]);
});

test("a project that is away as an agent crashes has its task tried again once it is found, as the same task", async () => {
  queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 10ms" });
  await queue.drop("running.md", "agent: work 1s\nagent: exit 7\n");
  await until("it runs", async () => (await prompts()).length === 1);
  await rename(queue.project, join(queue.dir, "elsewhere"));
  await until("it is told", () => queue.errors.length > 0);
  expect(queue.errors[0]).toMatchObject({ code: "PROJECT_AWAY", message: expect.stringContaining(queue.project) });
  await rename(join(queue.dir, "elsewhere"), other());
  await expectTriedAgainThere();
});

test("a project that is deleted as an agent crashes takes its task with it", async () => {
  queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 10ms" });
  await queue.drop("running.md", "agent: work 1s\nagent: exit 7\n");
  await until("it runs", async () => (await prompts()).length === 1);
  await rm(queue.project, { recursive: true });
  await until("it is cancelled", () => told("cancelled").length === 1, 20_000);
  expect(told("retrying")).toEqual([]);
  expect(await starts()).toHaveLength(1);
  expect(existsSync(queue.project)).toBe(false);
});

describe("a project whose disk is away for a while", () => {
  test("has its running task finalised when it is back, and nothing is written where it was", async () => {
    await startWithTasks("1s");
    await rename(join(queue.project, ".agent-queue"), join(queue.dir, "unmounted"));
    const [error] = await until("it is told", () => queue.errors.length > 0 && queue.errors);
    expect(error).toBeInstanceOf(QueueError);
    expect(error).toMatchObject({ code: "PROJECT_AWAY", message: expect.stringContaining(queue.project) });
    expect(existsSync(join(queue.project, ".agent-queue"))).toBe(false);
    await rename(join(queue.dir, "unmounted"), join(queue.project, ".agent-queue"));
    expect(await queue.settled("done", 3, 20_000)).toEqual(["a.md", "b.md", "running.md"]);
    expect(await starts()).toHaveLength(3);
  });
});
