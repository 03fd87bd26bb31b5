import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { taskDetail } from "../../src/control/task-view.ts";
import { row } from "../helpers/delegation.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
beforeEach(async () => {
  queue = await startQueue({ limits: "attempts: 1" });
});
afterEach(async () => await queue.stop());

const at = (folder: string, name: string) => join(queue.project, ".agent-queue", folder, name);
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start").map(({ run }) => run);
const overs = () => queue.events.filter(({ type }) => type === "done" || type === "failed").length;

/** A task that failed once and was then put back and done. Returns its id, and the file as it was in between. */
async function doneAtLast(): Promise<{ id: string; old: string }> {
  await queue.drop("build.md", "Build it.\nagent: needs ready.txt\n");
  await until("it has failed", () => overs() === 1);
  await writeFile(join(queue.project, "ready.txt"), "");
  const old = await readFile(at("failed", "build.md"), "utf8");
  await rename(at("failed", "build.md"), at("inbox", "build.md"));
  await until("it is done", () => overs() === 2);
  const id = queue.events[0]?.id ?? "";
  expect(await starts()).toEqual([`${id}-1`, `${id}-2`]);
  return { id, old };
}

describe("a file as it was before its task's last run", () => {
  test.each(["build.md", "copy.md"])("runs as %s, under a number that no run has had", async (name) => {
    const { id, old } = await doneAtLast();
    await queue.drop(name, old);
    await until("it is over", () => overs() === 3);
    const runs = await starts();
    expect(runs).toHaveLength(3);
    expect(new Set(runs).size).toBe(3);
    const shelved = name === "build.md" ? "build-2.md" : name;
    expect(await queue.names("done")).toEqual(["build.md", shelved].sort());
    expect(row(await queue.read("done", "build.md"), "run")).toBe(`${id}-2`);
    expect(row(await queue.read("done", shelved), "run")).toBe(runs[2]);
    expect(await queue.names("inbox")).toEqual([]);
    expect(queue.errors).toEqual([]);
  });
});

test("a copy of a task that is done is another one: what is known of the first stays", async () => {
  await queue.drop("first.md", "First.\n");
  await until("it is done", () => overs() === 1);
  const id = queue.events[0]?.id ?? "";
  await copyFile(at("done", "first.md"), at("inbox", "second.md"));
  await until("the second is done", () => overs() === 2);
  expect(await queue.names("done")).toEqual(["first.md", "second.md"]);
  expect(await starts()).toHaveLength(2);
  const get = async (task: string) =>
    await askDaemon(queue.config.stateDir, "GET", `/api/tasks/${encodeURIComponent(task)}`, taskDetail);
  expect(await get("second.md")).toMatchObject({ name: "second.md", state: "done" });
  expect(await get("first.md")).toMatchObject({ id, name: "first.md", state: "done" });
});
