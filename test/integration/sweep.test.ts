import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { connect } from "../../src/queue/connection.ts";
import { prepareQueue, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");

test("waiting tasks that Redis has forgotten are enqueued again, running ones go on, and each runs once", async () => {
  queue = await startQueue({ sessions: 1, sweep: "1s" });
  await queue.drop("running.md", "agent: work 3s\n");
  await until("it runs", async () => (await submits()).length === 1);
  for (const name of ["a.md", "b.md"]) await queue.drop(name, `${name}\n`);
  await until("both wait", () => queue.events.filter(({ type }) => type === "routed").length === 3);
  const redis = connect(redisOf(queue.config));
  await redis.flushdb();
  redis.disconnect();
  expect(await queue.settled("done", 3, 20_000)).toEqual(["a.md", "b.md", "running.md"]);
  expect(await submits()).toHaveLength(3);
});

test("a claim that belongs to no run and no job goes back to the inbox and is run", async () => {
  queue = await startQueue({ sweep: "1s" });
  await writeFile(join(queue.project, ".agent-queue", "inbox", "left.md.dispatched"), "left behind\n");
  expect(await queue.settled("done", 1)).toEqual(["left.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
});

test("a claim that belongs to no run, and whose job waits, goes back to the inbox and is run once", async () => {
  queue = await startQueue({ sweep: "1s", sessions: 1 });
  await queue.drop("first.md", "agent: work 1s\n");
  await until("it runs", async () => (await submits()).length === 1);
  await queue.drop("left.md", "left behind\n");
  await until("it waits", () => queue.events.filter(({ type }) => type === "routed").length === 2);
  const waiting = join(queue.project, ".agent-queue", "inbox", "left.md");
  await rename(waiting, `${waiting}.dispatched`);
  expect(await queue.settled("done", 2)).toEqual(["first.md", "left.md"]);
  expect(await submits()).toHaveLength(2);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
});

test("what a crash has left hidden goes soon after the start, without another sweep", async () => {
  queue = await prepareQueue();
  const hidden = [".task.md.ending", ".0b0ffbc5-0a6a-4fd0-9b0b-2b3e8c1f6f3a.draft"];
  for (const name of hidden) await writeFile(join(queue.project, ".agent-queue", "inbox", name), "");
  await queue.app.start();
  expect(await queue.names("inbox")).toEqual(hidden.toSorted());
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0, 25_000);
});

test("an inbox that no event told of is found by the sweep, and a folder called like a task is left alone", async () => {
  queue = await startQueue({ sweep: "1s" });
  await mkdir(join(queue.project, ".agent-queue", "inbox", "folder.md"));
  await queue.drop("task.md", "a task\n");
  expect(await queue.settled("done", 1)).toEqual(["task.md"]);
  await until("only the folder is left", async () => (await queue.names("inbox")).join() === "folder.md");
  expect(await queue.names("failed")).toEqual([]);
});

test("an inbox that follows its new project at any distance is found without the sweep", async () => {
  queue = await startQueue();
  const projects = Array.from({ length: 60 }, (_, index) => join(queue.dir, "projects", `new-${index}`));
  for (const [index, project] of projects.entries()) {
    await mkdir(project);
    await sleep(index / 10);
    await mkdir(join(project, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("task.md", "agent: say hello\n", project);
  }
  const seen = () => new Set(queue.events.flatMap(({ type, task }) => (type === "seen" ? [task.project] : [])));
  await until("a task is seen in each", () => seen().size === projects.length, 10_000);
  expect(queue.errors).toEqual([]);
});
