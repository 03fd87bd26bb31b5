import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
/** The platform's time: its jobs take a minute. */
let aheadMs = 0;

async function start(): Promise<Delegation["queue"]> {
  delegation = await startDelegation({ platform: { delayMs: 60_000, now: () => Date.now() + aheadMs } });
  return delegation.queue;
}

afterEach(async () => {
  aheadMs = 0;
  await delegation.stop();
});

const inInbox = (name: string) => join(delegation.queue.project, ".agent-queue", "inbox", name);
const statuses = () => delegation.platform.jobs().map(({ status }) => status);
const isOut = async (times = 1) => {
  await until(`it is out ${times} times`, () => delegation.events("delegated").length === times);
};
const isEmpty = async () => {
  await until("the inbox is empty", async () => (await delegation.queue.names("inbox")).length === 0);
};
/** The platform's jobs are over from now on. */
const finish = () => {
  aheadMs += 60_000;
};

describe("while a task is out", () => {
  test("its file is deleted: it is cancelled there and here", async () => {
    const queue = await start();
    await queue.drop("x.md", delegable("Do it."));
    await isOut();
    await rm(inInbox("x.md"));
    await until("it is cancelled", () => delegation.events("cancelled").length === 1);
    await isEmpty();
    expect(statuses()).toEqual(["cancelled"]);
    expect(delegation.asked("DELETE")).toBe(1);
    expect(await queue.names("done")).toEqual([]);
    expect(await queue.names("failed")).toEqual([]);
    expect((await delegation.counters())["cancelled"]).toBe(1);

    // The name is free again.
    await queue.drop("x.md", delegable("Do it anew."));
    await isOut(2);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    expect(await queue.read("done", "x.md")).toContain("Do it anew.");
    expect(delegation.events("cancelled")).toHaveLength(1);
  });

  test("its file and its marker are deleted: the same", async () => {
    const queue = await start();
    await queue.drop("x.md", delegable("Do it."));
    await isOut();
    await Promise.all([rm(inInbox("x.md")), rm(delegation.marker("x.md"))]);
    await until("it is cancelled", () => delegation.events("cancelled").length === 1);
    await until("there too", () => statuses().join() === "cancelled");
    await isEmpty();
    expect(await queue.names("failed")).toEqual([]);
  });

  test("its marker is removed: it is cancelled there and handed out once more, as another attempt", async () => {
    const queue = await start();
    await queue.drop("x.md", delegable("Do it."));
    await isOut();
    await rm(delegation.marker("x.md"));
    await isOut(2);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    await isEmpty();
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

  test("its file is changed: the old text comes home, and the changed one is another task", async () => {
    const queue = await start();
    await queue.drop("x.md", delegable("The old text."));
    await isOut();
    await queue.drop("x.md", "The new text.\n");
    finish();
    expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
    await isEmpty();
    const old = await queue.read("done", "x.md");
    expect(old).toContain("The old text.");
    expect(row(old, "provider")).toMatch(/^gemini /);
    const changed = await queue.read("done", "x-2.md");
    expect(changed).toContain("The new text.");
    expect(row(changed, "session")).toMatch(/^ccl-auto-/);
    expect(delegation.platform.jobs().map(({ submission }) => submission.prompt)).toEqual(["The old text.\n"]);
    expect(delegation.events("cancelled")).toEqual([]);
  });

  test("its file is changed in place, and may be delegated again: it is, as another task", async () => {
    const queue = await start();
    await queue.drop("x.md", delegable("The old text."));
    await isOut();
    await writeFile(inInbox("x.md"), delegable("The new text."));
    finish();
    await isOut(2);
    finish();
    expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
    await isEmpty();
    expect(await queue.read("done", "x-2.md")).toContain("The new text.");
    const [first, second] = delegation.platform.jobs();
    expect(second?.submission.prompt).toBe("The new text.\n");
    expect(second?.key.split("-")[0]).not.toBe(first?.key.split("-")[0]);
    expect(delegation.platform.stats()).toMatchObject({ accepted: 2, replays: 0, duplicates: 0 });
  });

  test("its whole inbox is away for a while: nothing is cancelled", async () => {
    const queue = await start();
    const other = join(queue.dir, "projects", "beta");
    await mkdir(join(other, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("y.md", delegable("Do it there."), other);
    await queue.drop("x.md", delegable("Do it."));
    await isOut(2);
    const [inbox, away] = [inInbox(""), join(queue.dir, "away")];
    await rename(inbox, away);
    const asked = delegation.asked("GET");
    await until("the other one was looked after some times", () => delegation.asked("GET") >= asked + 4);
    expect(statuses()).toEqual(["queued", "queued"]);
    await rename(away, inbox);
    finish();
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    expect(statuses()).toEqual(["completed", "completed"]);
    expect(delegation.events("cancelled")).toEqual([]);
  });
});

describe("when it comes home", () => {
  test("and its name is taken in done/, it gets a numbered one", async () => {
    const queue = await start();
    await mkdir(join(queue.project, ".agent-queue", "done"));
    await writeFile(join(queue.project, ".agent-queue", "done", "x.md"), "from before\n");
    await queue.drop("x.md", delegable("Do it."));
    await isOut();
    finish();
    expect(await queue.settled("done", 2)).toEqual(["x-2.md", "x.md"]);
    expect(await queue.read("done", "x.md")).toBe("from before\n");
    expect(await queue.read("done", "x-2.md")).toContain("Do it.");
    expect(delegation.events("done")).toMatchObject([{ path: expect.stringMatching(/\/done\/x-2\.md$/) }]);
  });

  test("a task of the same name and text that is dropped later is done as well", async () => {
    const queue = await start();
    for (const times of [1, 2, 3]) {
      await queue.drop("x.md", delegable("Do it."));
      await isOut(times);
      finish();
      await queue.settled("done", times);
    }
    await isEmpty();
    expect(await queue.names("done")).toEqual(["x-2.md", "x-3.md", "x.md"]);
    expect(delegation.platform.stats()).toMatchObject({ accepted: 3, replays: 0 });
    expect(delegation.events("done")).toHaveLength(3);
    expect(delegation.events("cancelled")).toEqual([]);
  });
});
