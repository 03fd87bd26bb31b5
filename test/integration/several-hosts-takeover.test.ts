import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TaskEvent, TaskEvents } from "../../src/core/events.ts";
import { runId } from "../../src/core/id.ts";
import { claim, giveBack, restoreGivenBack } from "../../src/ledger/claim.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { claimedPath, inboxDir, shelfDir, taskPath } from "../../src/ledger/layout.ts";
import { takeAndShelve } from "../../src/ledger/shelve.ts";
import { Hosts } from "../../src/queue/hosts.ts";
import { Takeover } from "../../src/workers/takeover.ts";
import { type BareQueues, startBareQueues } from "../helpers/bare-queues.ts";
import { addTasks, dieWith, fetcherOf, inboxOf } from "../helpers/hosts.ts";
import { openTcpGate } from "../helpers/tcp-gate.ts";
import { until } from "../helpers/until.ts";

const GONE_AFTER_MS = 400;
const TASKS = ["a.md", "b.md", "c.md", "d.md"];

let bare: BareQueues;
let hosts: Hosts;
let project: string;
let told: TaskEvent[];
const cleanups: (() => Promise<void>)[] = [];

beforeEach(async () => {
  bare = await startBareQueues();
  hosts = new Hosts(bare.shared);
  project = join(bare.dir, "alpha");
  told = [];
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await hosts.stop();
  await bare.stop();
});

/** One that says nothing by itself: a test says it. */
function takeoverOf(host: string, more: Partial<ConstructorParameters<typeof Takeover>[0]> = {}): Takeover {
  const events = new TaskEvents();
  events.on((event) => told.push(event));
  return new Takeover({ ...bare.shared, host, hosts, goneAfterMs: GONE_AFTER_MS, events, ...more });
}

async function say(host: string, stopped = false, workspace = bare.shared.workspace): Promise<void> {
  await hosts.say({ workspace, host, atMs: Date.now(), stopped, report: null });
}

/** Looks again and again until so much time is over. */
async function lookFor(takeover: Takeover, ms: number, also = async () => {}): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    await also();
    await takeover.runOnce();
    await sleep(20);
  }
}

const known = async () => (await hosts.list(Date.now())).map(({ host }) => host);
const states = async (ids: readonly string[]) =>
  await Promise.all(ids.map(async (id) => (await bare.index.find(id)).map(({ state }) => state).join()));
const endTakeover = async (host: string) => await bare.redis.del(`{ccl-queue:w}:takeover:${host}`);

describe("a host that says nothing any more", () => {
  test("loses its running work to the workspace, once, and is forgotten", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 3);
    await say("dead");
    const takeover = takeoverOf("alive");
    await takeover.runOnce();
    expect(await inboxOf(project)).toEqual(["a.md.dispatched", "b.md.dispatched", "c.md.dispatched", "d.md"]);
    await lookFor(takeover, 2 * GONE_AFTER_MS);
    expect(await inboxOf(project)).toEqual(TASKS);
    expect(await states(["a", "b", "c", "d"])).toEqual(["waiting", "waiting", "waiting", "waiting"]);
    expect(told.map(({ type, task }) => `${type} ${task.name}`).sort()).toEqual(
      ["a.md", "b.md", "c.md"].map((name) => `recovered ${name}`),
    );
    expect(await known()).toEqual([]);
    // As the same attempt: what died with its host has not failed.
    const next = await (await kept("alive")).fetch();
    expect(next?.payload.attempts).toBe(0);
    expect(bare.errors).toEqual([]);
  });

  test("keeps it while it speaks, however wrong its clock is", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "alive", 2);
    const slow = 24 * 60 * 60_000;
    let saidMs = Date.now() - slow;
    const speak = async () => {
      saidMs += 1;
      await hosts.say({ workspace: "w", host: "alive", atMs: saidMs, stopped: false, report: null });
    };
    await lookFor(takeoverOf("other"), 3 * GONE_AFTER_MS, speak);
    expect(await inboxOf(project)).toEqual(["a.md.dispatched", "b.md.dispatched", "c.md", "d.md"]);
    expect(told).toEqual([]);
  });

  test("keeps it where it was Redis that nobody could reach", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "alive", 2);
    await say("alive");
    const { address } = bare.shared;
    const gate = await openTcpGate("socket" in address ? address.socket : "");
    const through = { ...bare.shared, address: { url: `redis://127.0.0.1:${gate.port}` } };
    const far = new Hosts(through);
    cleanups.push(async () => {
      await far.stop();
      await gate.close();
    });
    const takeover = takeoverOf("other", { ...through, hosts: far });
    await lookFor(takeover, GONE_AFTER_MS / 4);
    gate.cut();
    const queued = Array.from({ length: 3 }, async () => {
      await takeover.runOnce();
    });
    await sleep(2 * GONE_AFTER_MS);
    gate.mend();
    await Promise.all(queued);
    await takeover.runOnce();
    // It could not speak for the same time, and now it does.
    await say("alive");
    await takeover.runOnce();
    expect(told).toEqual([]);
    expect(await inboxOf(project)).toEqual(["a.md.dispatched", "b.md.dispatched", "c.md", "d.md"]);
    await lookFor(takeover, 2 * GONE_AFTER_MS);
    expect(told).toHaveLength(2);
  });

  test("keeps it when it was stopped in order, however long ago", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "resting", 2);
    await say("resting", true);
    await lookFor(takeoverOf("other"), 3 * GONE_AFTER_MS);
    expect(await inboxOf(project)).toEqual(["a.md.dispatched", "b.md.dispatched", "c.md", "d.md"]);
    expect(await known()).toEqual(["resting"]);
  });

  test("of another workspace is none of ours", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 2);
    await say("dead", false, "another");
    await lookFor(takeoverOf("other"), 3 * GONE_AFTER_MS);
    expect(told).toEqual([]);
    await expect(takeoverOf("other").adopt("dead")).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    expect(await inboxOf(project)).toContain("a.md.dispatched");
  });

  test("is taken over once by two that see it at the same moment", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `task-${index}.md`);
    await addTasks(bare, project, names);
    await dieWith(bare, "dead", names.length);
    await say("dead");
    const two = [takeoverOf("one"), takeoverOf("two")];
    await Promise.all(two.map(async (takeover) => await lookFor(takeover, 2 * GONE_AFTER_MS)));
    expect(await inboxOf(project)).toEqual(names.toSorted());
    expect(told.map(({ task }) => task.name).sort()).toEqual(names.toSorted());
    expect(bare.errors).toEqual([]);
  });
});

describe("adopt", () => {
  test("gives a host's work back at once, though it has just spoken", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 3);
    await say("dead");
    const tasks = await takeoverOf("alive").adopt("dead");
    expect(tasks.map(({ name }) => name).sort()).toEqual(["a.md", "b.md", "c.md"]);
    expect(await inboxOf(project)).toEqual(TASKS);
    expect(await known()).toEqual([]);
  });

  test("does so for a host that was stopped and will not come back", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "resting", 1);
    await say("resting", true);
    expect(await takeoverOf("alive").adopt("resting")).toEqual([{ project, name: "a.md" }]);
  });

  test("refuses a host that nobody knows, and our own", async () => {
    await say("alive");
    const takeover = takeoverOf("alive");
    await expect(takeover.adopt("nobody")).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    await expect(takeover.adopt("alive")).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
  });

  test("of two at the same moment, one does it", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 4);
    await say("dead");
    const two = await Promise.allSettled(["one", "two"].map((host) => takeoverOf(host).adopt("dead")));
    const refused = two.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(refused).toMatchObject([{ code: "HOST_BUSY" }]);
    expect(told).toHaveLength(4);
    expect(await inboxOf(project)).toEqual(TASKS);
  });
});

describe("projects that the taker cannot see", () => {
  test("are left to somebody who can, and the rest is given back", async () => {
    const far = join(bare.dir, "far");
    await addTasks(bare, project, ["near.md"]);
    await addTasks(bare, far, ["far.md"]);
    await dieWith(bare, "dead", 2);
    await say("dead");
    await rename(far, join(bare.dir, "unmounted"));
    const takeover = takeoverOf("alive");
    expect(await takeover.adopt("dead")).toEqual([{ project, name: "near.md" }]);
    expect(await states(["near", "far"])).toEqual(["waiting", "running"]);
    expect(await known()).toEqual(["dead"]);

    await rename(join(bare.dir, "unmounted"), far);
    await endTakeover("dead");
    await lookFor(takeover, 2 * GONE_AFTER_MS);
    expect(await inboxOf(far)).toEqual(["far.md"]);
    expect(await states(["near", "far"])).toEqual(["waiting", "waiting"]);
    expect(await known()).toEqual([]);
  });
});

describe("a takeover that was cut short is made good", () => {
  const hidden = (name: string) => join(inboxDir(project), `.${name}.given-back`);

  test("after the claim was put aside: by the next takeover", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 2);
    await say("dead");
    await rename(claimedPath({ project, name: "a.md" }), hidden("a.md"));
    await takeoverOf("alive").adopt("dead");
    expect(await inboxOf(project)).toEqual(TASKS);
    expect(await states(["a", "b"])).toEqual(["waiting", "waiting"]);
  });

  test("after the file had its name again, and the hidden one was still there", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 1);
    await say("dead");
    await rename(claimedPath({ project, name: "a.md" }), hidden("a.md"));
    await link(hidden("a.md"), taskPath({ project, name: "a.md" }));
    await takeoverOf("alive").adopt("dead");
    expect(await inboxOf(project)).toEqual(TASKS);
  });

  test("after the file was given back, and its job still was the dead host's", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 1);
    await say("dead");
    await giveBack({ project, name: "a.md" }, "a-1");
    await takeoverOf("alive").adopt("dead");
    expect(await inboxOf(project)).toEqual(TASKS);
    expect(await states(["a"])).toEqual(["waiting"]);
  });

  test("after the jobs were put back, and the host was not forgotten yet: nothing is left to do", async () => {
    await addTasks(bare, project, TASKS);
    await dieWith(bare, "dead", 2);
    await say("dead");
    await takeoverOf("alive").adopt("dead");
    const running = await dieWith(bare, "alive", 1);
    await say("dead");
    await endTakeover("dead");
    expect(await takeoverOf("other").adopt("dead")).toEqual([]);
    expect(running[0]?.payload.name).toBe("a.md");
    expect(await inboxOf(project)).toEqual(["a.md.dispatched", "b.md", "c.md", "d.md"]);
    expect(await known()).toEqual([]);
  });

  test("after the task was finalised by the run, and its job knew nothing of that: it is over, and not run again", async () => {
    await addTasks(bare, project, TASKS);
    const [job] = await dieWith(bare, "dead", 1);
    await say("dead");
    const task = { project, name: "a.md" };
    const run = runId("a", job?.start ?? 0);
    const footer = { result: "done", finishedAt: new Date(), run } as const;
    const path = await takeAndShelve(task, claimedPath(task), "done", footer);
    expect(await takeoverOf("alive").adopt("dead")).toEqual([]);
    expect(await states(["a"])).toEqual(["done"]);
    expect((await bare.index.find("a"))[0]).toMatchObject({ ending: { result: "done", path } });
    expect(await inboxOf(project)).toEqual(["b.md", "c.md", "d.md"]);
    expect(await known()).toEqual([]);
  });
});

test("a file that died with the end of its run is given back, once nobody can be at it any more", async () => {
  await addTasks(bare, project, TASKS);
  const [job] = await dieWith(bare, "dead", 1);
  await say("dead");
  const taken = join(inboxDir(project), `.${runId("a", job?.start ?? 0)}.taken`);
  await rename(claimedPath({ project, name: "a.md" }), taken);
  const takeover = takeoverOf("alive");
  expect(await takeover.adopt("dead")).toEqual([]);
  expect(await states(["a"])).toEqual(["running"]);
  await until("it is given back", async () => {
    await endTakeover("dead");
    await takeover.runOnce();
    return (await inboxOf(project)).includes("a.md");
  });
  expect(await inboxOf(project)).toEqual(TASKS);
  expect(await states(["a"])).toEqual(["waiting"]);
  expect(await readFile(taskPath({ project, name: "a.md" }), "utf8")).toBe("a.md\n");
});

test("a takeover and the end of the run meet: one of the two has the file, and the other knows it", async () => {
  const ROUNDS = 60;
  const task = { project, name: "x.md" };
  await mkdir(inboxDir(project), { recursive: true });
  const outcomes: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await writeFile(taskPath(task), `round ${round}\n`);
    const sighting = await sight(taskPath(task));
    expect(await claim(task, sighting === null ? "" : fingerprint(sighting))).toBe("claimed");
    const run = runId("abcdefghjk", round + 1);
    const footer = { result: "done", finishedAt: new Date(), run } as const;
    const end = async () => {
      await sleep(Math.random() * 3);
      return await takeAndShelve(task, claimedPath(task), "done", footer).then(
        () => "ended",
        () => "lost",
      );
    };
    const take = async () => {
      // The end looks around before it takes the file: at once, the takeover would come first each time.
      await sleep((round % 10) + Math.random() * 3);
      await giveBack(task, run);
    };
    const sweep = async () => {
      await sleep(Math.random() * 3);
      await restoreGivenBack(project, await inboxOf(project));
    };
    const [ended] = await Promise.all([end(), take(), sweep(), sweep()]);
    const inInbox = await inboxOf(project);
    const inDone = await readdir(shelfDir(project, "done")).catch(() => []);
    expect([ended, inInbox, inDone]).toEqual(ended === "ended" ? ["ended", [], ["x.md"]] : ["lost", ["x.md"], []]);
    outcomes.push(ended);
    await rm(taskPath(task), { force: true });
    await rm(shelfDir(project, "done"), { recursive: true, force: true });
  }
  expect(new Set(outcomes)).toEqual(new Set(["ended", "lost"]));
});

/** A fetcher that ends with the test. */
async function kept(host: string) {
  const fetcher = await fetcherOf(bare, host);
  cleanups.push(async () => await fetcher.stop());
  return fetcher;
}
