import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, type TestContext, test } from "vitest";
import { type DelegationOptions, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const MINUTE_MS = 60_000;

/** A queue and a platform whose jobs take a minute of its own time. */
async function start({ onTestFinished }: TestContext, options: DelegationOptions = {}) {
  let aheadMs = 0;
  let stoppedAtMs: number | null = null;
  const platform = { delayMs: MINUTE_MS, now: () => Date.now() + aheadMs };
  const delegation = await startDelegation({ ...options, platform, now: () => stoppedAtMs ?? Date.now() });
  onTestFinished(delegation.stop);
  const { queue } = delegation;
  return {
    ...delegation,
    inInbox: (name: string) => join(queue.project, ".agent-queue", "inbox", name),
    statuses: () => delegation.platform.jobs().map(({ status }) => status),
    out: async (count: number) =>
      await until(`${count} went out`, () => delegation.events("delegated").length === count),
    emptied: async () => await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0),
    /** The queue's time stands still: what has been asked about is not due again. */
    stopClock: (isStopped: boolean) => {
      stoppedAtMs = isStopped ? Date.now() : null;
    },
    /** The platform's jobs are over from now on. */
    finish: () => {
      aheadMs += MINUTE_MS;
    },
  };
}

describe.concurrent("while a task is out", () => {
  test("its file is deleted, with or without its marker: it is cancelled there and here", async (context) => {
    const { expect } = context;
    const { queue, inInbox, out, emptied, finish, statuses, stopClock, ...delegation } = await start(context);
    stopClock(true);
    for (const name of ["x.md", "y.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    await out(2);
    await until("both were asked about", () => delegation.asked("GET") === 2);
    await Promise.all([rm(inInbox("x.md")), rm(inInbox("y.md")), rm(delegation.marker("y.md"))]);
    await until("they are cancelled", () => delegation.events("cancelled").length === 2);
    await emptied();
    expect(statuses()).toEqual(["cancelled", "cancelled"]);
    expect(delegation.asked("DELETE")).toBe(2);
    expect(await queue.names("done")).toEqual([]);
    expect(await queue.names("failed")).toEqual([]);
    expect((await delegation.counters())["cancelled"]).toBe(2);

    // The name is free again.
    stopClock(false);
    await queue.drop("x.md", delegable("Do it anew."));
    await out(3);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    expect(await queue.read("done", "x.md")).toContain("Do it anew.");
    expect(delegation.events("cancelled")).toHaveLength(2);
  });

  test("its marker is removed: it is cancelled there and handed out once more, as another attempt", async (context) => {
    const { expect } = context;
    const { queue, out, emptied, finish, ...delegation } = await start(context);
    await queue.drop("x.md", delegable("Do it."));
    await out(1);
    await rm(delegation.marker("x.md"));
    await out(2);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await emptied();
    const [first, second, ...more] = delegation.platform.jobs();
    expect(more).toEqual([]);
    expect([first?.status, second?.status]).toEqual(["cancelled", "completed"]);
    const id = delegation.events("seen")[0]?.id;
    expect([first?.key, second?.key]).toEqual([`${id}-1`, `${id}-2`]);
    const text = await queue.read("done", "x.md");
    expect(row(text, "provider")).toBe(`gemini (${second?.id})`);
    expect(row(text, "attempts")).toBe("2");
    expect(row(text, "run")).toBe(`${id}-2`);
  });

  test("its file is replaced: the old text comes home, and the new one is another task", async (context) => {
    const { expect } = context;
    const { queue, out, emptied, finish, ...delegation } = await start(context);
    await queue.drop("x.md", delegable("The old text."));
    await out(1);
    await queue.drop("x.md", "The new text.\n");
    finish();
    expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
    await emptied();
    const old = await queue.read("done", "x.md");
    expect(old).toContain("The old text.");
    expect(row(old, "provider")).toMatch(/^gemini /);
    const changed = await queue.read("done", "x-2.md");
    expect(changed).toContain("The new text.");
    expect(row(changed, "session")).toMatch(/^ccl-auto-/);
    expect(delegation.platform.jobs().map(({ submission }) => submission.prompt)).toEqual(["The old text.\n"]);
    expect(delegation.events("cancelled")).toEqual([]);
  });

  test("its file is changed in place, and may be delegated again: it is, as another task", async (context) => {
    const { expect } = context;
    const { queue, inInbox, out, emptied, finish, platform } = await start(context);
    await queue.drop("x.md", delegable("The old text."));
    await out(1);
    await writeFile(inInbox("x.md"), delegable("The new text."));
    finish();
    await out(2);
    finish();
    expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
    await emptied();
    expect(await queue.read("done", "x-2.md")).toContain("The new text.");
    const [first, second] = platform.jobs();
    expect(second?.submission.prompt).toBe("The new text.\n");
    expect(second?.key.split("-")[0]).not.toBe(first?.key.split("-")[0]);
    expect(platform.stats()).toMatchObject({ accepted: 2, replays: 0, duplicates: 0 });
  });

  test("its project is renamed: it comes home under the new name, and is not submitted again", async (context) => {
    const { expect } = context;
    const { queue, out, finish, platform, ...delegation } = await start(context, { sweep: "1s" });
    await queue.drop("x.md", delegable("Do it."));
    await out(1);
    const renamed = join(queue.dir, "projects", "renamed");
    await rename(queue.project, renamed);
    await until("it is known there", () => delegation.events("restored").length === 1);
    finish();
    await until("it came home", async () => (await queue.names("done", renamed)).join() === "x.md");
    await until("its inbox is empty", async () => (await queue.names("inbox", renamed)).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 0, duplicates: 0 });
    expect(delegation.events("restored")).toHaveLength(1);
    expect(delegation.events("cancelled")).toEqual([]);
    expect(queue.errors).toEqual([]);
  });

  test("its project is deleted: it is cancelled once its time is over", async (context) => {
    const { expect } = context;
    const { queue, out, finish, statuses, ...delegation } = await start(context, { more: "max_age: 3s" });
    await queue.drop("x.md", delegable("Do it."));
    await out(1);
    await rm(queue.project, { recursive: true });
    await until("it is cancelled", () => delegation.events("cancelled").length === 1);
    expect(statuses()).toEqual(["cancelled"]);
    expect(delegation.events("failed")).toEqual([]);
  });

  test("its whole inbox is away for a while: nothing is cancelled", async (context) => {
    const { expect } = context;
    const { queue, inInbox, out, finish, statuses, ...delegation } = await start(context);
    const other = join(queue.dir, "projects", "beta");
    await mkdir(join(other, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("y.md", delegable("Do it there."), other);
    await queue.drop("x.md", delegable("Do it."));
    await out(2);
    const [inbox, away] = [inInbox(""), join(queue.dir, "away")];
    await rename(inbox, away);
    const asked = delegation.asked("GET");
    await until("the other one was looked after some times", () => delegation.asked("GET") >= asked + 4);
    expect(statuses()).toEqual(["queued", "queued"]);
    await rename(away, inbox);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await until("both came home", () => delegation.events("done").length === 2);
    expect(statuses()).toEqual(["completed", "completed"]);
    expect(delegation.events("cancelled")).toEqual([]);
  });

  test("its name is taken in done/: it gets a numbered one, as often as it is dropped", async (context) => {
    const { expect } = context;
    const { queue, out, emptied, finish, ...delegation } = await start(context);
    await mkdir(join(queue.project, ".agent-queue", "done"));
    await writeFile(join(queue.project, ".agent-queue", "done", "x.md"), "from before\n");
    for (const times of [1, 2, 3]) {
      await queue.drop("x.md", delegable("Do it."));
      await out(times);
      finish();
      await queue.settled("done", times + 1);
    }
    await emptied();
    expect(await queue.names("done")).toEqual(["x-2.md", "x-3.md", "x-4.md", "x.md"]);
    expect(await queue.read("done", "x.md")).toBe("from before\n");
    expect(await queue.read("done", "x-2.md")).toContain("Do it.");
    expect(delegation.platform.stats()).toMatchObject({ accepted: 3, replays: 0 });
    await until("all three are told of", () => delegation.events("done").length === 3);
    const paths = delegation.events("done").map(({ path }) => basename(path));
    expect(paths).toEqual(["x-2.md", "x-3.md", "x-4.md"]);
    expect(delegation.events("cancelled")).toEqual([]);
  });
});
