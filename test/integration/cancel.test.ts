import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { cancelTask } from "../../src/control/cancel.ts";
import { statusSchema } from "../../src/control/status.ts";
import { describeEvent } from "../../src/core/describe-event.ts";
import type { TaskEvent } from "../../src/core/events.ts";
import type { TaskFile } from "../../src/core/task.ts";
import { claim, unclaim } from "../../src/ledger/claim.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { renderFooter } from "../../src/ledger/footer.ts";
import { claimedPath, taskPath } from "../../src/ledger/layout.ts";
import { rejectTask, shelveClaimed, takeAndShelve } from "../../src/ledger/shelve.ts";
import { type Delegation, delegable, startDelegation } from "../helpers/delegation.ts";
import { hesitate, nextHesitation } from "../helpers/hesitate.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Parameters<typeof startQueue>[0] = {}): Promise<void> {
  queue = await startQueue({ sessions: 1, ...options });
  cleanups.push(async () => await queue.stop());
}

const commanded = z.strictObject({ task: z.string(), path: z.string() });
const refused = z.looseObject({ code: z.string(), detail: z.string() });

/** Cancels over HTTP, by whatever text; returns the new path, or the code of the refusal. */
async function cancel(text: string): Promise<string> {
  const response = await fetch(`${queue.app.url}/api/tasks/${encodeURIComponent(text)}/cancel`, { method: "POST" });
  const body: unknown = await response.json();
  return response.ok ? commanded.parse(body).path : refused.parse(body).code;
}

async function status() {
  return statusSchema.parse(await (await fetch(`${queue.app.url}/watchdog/status`)).json());
}

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const eventsOf = (name: string) => queue.events.filter(({ task }) => task.name === name).map(({ type }) => type);
const idOf = (name: string) => queue.events.find(({ task }) => task.name === name)?.id ?? "";
const told = async (name: string, type: TaskEvent["type"]) =>
  await until(`${name} is ${type}`, () => eventsOf(name).includes(type));
const inFailed = (name: string) => join(queue.project, ".agent-queue", "failed", name);

/** The only session has an agent that never ends. */
async function keepBusy(): Promise<void> {
  await queue.drop("busy.md", "agent: hang\n");
  await until("the session is busy", async () => (await submits()).length === 1);
}

/** A task that waits, as the only session is busy. */
async function dropWaiting(name: string, text = "waits\n"): Promise<void> {
  await queue.drop(name, text);
  await told(name, "routed");
}

/** What is said of a task's end. */
const saidOf = (name: string) =>
  queue.events.filter(({ task, type }) => task.name === name && type === "cancelled").map(describeEvent);

/** The task is over: in failed/ with its text, and nowhere else. */
async function expectCancelled(name: string, text: string): Promise<void> {
  expect(await queue.names("failed")).toEqual([name]);
  const written = await queue.read("failed", name);
  expect(written.startsWith(text)).toBe(true);
  expect(written).toContain("| ccl-queue | cancelled |");
  expect(written).toContain("| error | TASK_CANCELLED: somebody cancelled the task |");
  expect(await queue.names("done")).not.toContain(name);
  expect((await readdir(join(queue.project, ".agent-queue", "inbox"))).filter((file) => file.includes(name))).toEqual(
    [],
  );
}

describe("a task is cancelled", () => {
  test("while it waits: at once, for good, and without a run", async () => {
    await start();
    await keepBusy();
    await dropWaiting("waits.md", "agent: work 1ms\n");
    expect(await cancel("waits.md")).toBe(inFailed("waits.md"));
    await expectCancelled("waits.md", "agent: work 1ms\n");
    await told("waits.md", "cancelled");
    expect(saidOf("waits.md")).toEqual(["cancelled: somebody cancelled the task"]);
    expect((await status()).queues.local).toMatchObject({ waiting: 0, active: 1, delayed: 0 });
    await cancel("busy.md");
    await queue.drop("next.md", "next\n");
    await queue.settled("done", 1);
    expect(eventsOf("waits.md")).toEqual(["seen", "routed", "cancelled"]);
    expect((await submits()).map(({ firstLine }) => firstLine)).toEqual(["agent: hang", "next"]);
  });

  test("while it runs: its agent is interrupted and gone, its session serves the next", async () => {
    await start();
    await keepBusy();
    expect((await status()).runs).toHaveLength(1);
    expect(await cancel("busy.md")).toBe(inFailed("busy.md"));
    await told("busy.md", "cancelled");
    expect(saidOf("busy.md")).toEqual(["cancelled: somebody cancelled the task"]);
    await expectCancelled("busy.md", "agent: hang\n");
    const log = await queue.witness();
    expect(log.at(-1)).toMatchObject({ event: "end", cause: "SIGINT" });
    expect(() => process.kill(log[0]?.pid ?? 0, 0)).toThrow("ESRCH");
    await until("the session is idle", async () => (await status()).sessions[0]?.state === "idle");
    expect((await status()).runs).toEqual([]);
    await queue.drop("next.md", "next\n");
    expect(await queue.settled("done", 1)).toEqual(["next.md"]);
    expect(eventsOf("busy.md")).not.toContain("failed");
    expect(queue.errors).toEqual([]);
  });

  test("by taking its file away, which is told as that, also after another of its name", async () => {
    await start();
    await keepBusy();
    const inbox = join(queue.project, ".agent-queue", "inbox");
    await dropWaiting("waits.md");
    await cancel("waits.md");
    await told("waits.md", "cancelled");
    await queue.drop("waits.md", "waits\n");
    await until("it waits", async () => (await status()).queues.local.waiting === 1);
    rmSync(join(inbox, "waits.md"));
    await until("that is told", () => saidOf("waits.md").length === 2);
    expect(saidOf("waits.md")[1]).toBe("cancelled: its file was taken away");
    rmSync(join(inbox, "busy.md.dispatched"));
    await told("busy.md", "cancelled");
    expect(saidOf("busy.md")).toEqual(["cancelled: its file was taken away"]);
  });

  test("while its agent does not react to anything but a kill", async () => {
    await start();
    await queue.drop("busy.md", "agent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    const [{ pid = 0 } = {}] = await queue.witness();
    process.kill(pid, "SIGSTOP");
    await cancel("busy.md");
    await told("busy.md", "cancelled");
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    await expectCancelled("busy.md", "agent: hang\n");
  }, 40_000);

  test("while its agent waits for a person", async () => {
    await start({ promptTimeout: "500ms" });
    await queue.drop("asks.md", "agent: dialog Do you trust this folder?\n");
    await told("asks.md", "attention");
    await cancel("asks.md");
    await told("asks.md", "cancelled");
    await expectCancelled("asks.md", "agent: dialog Do you trust this folder?\n");
    await queue.drop("next.md", "next\n");
    expect(await queue.settled("done", 1)).toEqual(["next.md"]);
  });

  test("while it waits to be tried again", async () => {
    await start({ limits: "attempts: 3, backoff: 10m" });
    await queue.drop("again.md", "agent: exit 3\n");
    await told("again.md", "retrying");
    await until("it is put off", async () => (await status()).queues.local.delayed === 1);
    expect(await cancel("again.md")).toBe(inFailed("again.md"));
    await told("again.md", "cancelled");
    await expectCancelled("again.md", "agent: exit 3\n");
    expect((await status()).queues.local).toMatchObject({ waiting: 0, active: 0, delayed: 0 });
  });

  test("while the pool is held", async () => {
    await start();
    await queue.drop("held.md", "agent: fail authentication_failed Please run /login\n");
    await told("held.md", "held");
    await until("it waits again", async () => (await queue.names("inbox")).includes("held.md"));
    await cancel("held.md");
    await told("held.md", "cancelled");
    expect((await status()).queues.local.waiting).toBe(0);
  });

  test("while a new file of its name waits: that one runs", async () => {
    await start();
    await keepBusy();
    await queue.drop("busy.md", "the next one\n");
    await until("both are there", async () => (await queue.names("inbox")).length === 2);
    expect(await cancel("busy.md")).toBe(inFailed("busy.md"));
    expect(await queue.settled("done", 1)).toEqual(["busy.md"]);
    expect(await queue.read("done", "busy.md")).toMatch(/^the next one\n/);
    expect(await queue.read("failed", "busy.md")).toMatch(/^agent: hang\n/);
  });

  test("once: who comes later is told that there is none", async () => {
    await start();
    await keepBusy();
    await dropWaiting("waits.md");
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await cancel("waits.md")));
    expect(answers.toSorted()).toEqual([inFailed("waits.md"), ...Array.from({ length: 9 }, () => "TASK_UNKNOWN")]);
    const running = await Promise.all(Array.from({ length: 10 }, async () => await cancel("busy.md")));
    expect(running.toSorted()).toEqual([inFailed("busy.md"), ...Array.from({ length: 9 }, () => "TASK_UNKNOWN")]);
    await told("busy.md", "cancelled");
    expect(await cancel("busy.md")).toBe("TASK_UNKNOWN");
    expect(await queue.names("failed")).toEqual(["busy.md", "waits.md"]);
  });

  test("and its name may be used again", async () => {
    await start();
    await keepBusy();
    await dropWaiting("x.md", "first\n");
    await cancel("x.md");
    await told("x.md", "cancelled");
    await queue.drop("x.md", "second\n");
    await cancel("busy.md");
    expect(await queue.settled("done", 1)).toEqual(["x.md"]);
    expect(await queue.read("done", "x.md")).toMatch(/^second\n/);
  });
});

describe("a delegated task is cancelled", () => {
  let delegation: Delegation;

  async function startOut(options: Parameters<typeof startDelegation>[0] = {}): Promise<void> {
    delegation = await startDelegation({ platform: { delayMs: 600_000 }, ...options });
    cleanups.push(async () => await delegation.stop());
    queue = delegation.queue;
  }

  test("while the platform has it: it is cancelled there too", async () => {
    await startOut();
    await queue.drop("far.md", delegable("A long one."));
    await told("far.md", "delegated");
    expect(await cancel("far.md")).toBe(inFailed("far.md"));
    await told("far.md", "cancelled");
    await expectCancelled("far.md", delegable("A long one."));
    expect(saidOf("far.md")).toEqual(["cancelled: somebody cancelled the task"]);
    expect(delegation.asked("DELETE")).toBe(1);
    expect(delegation.platform.jobs()).toMatchObject([{ status: "cancelled" }]);
    expect((await status()).delegation).toMatchObject({
      active: 0,
      submitted: 1,
      cancelled: 1,
      completed: 0,
      failed: 0,
    });
    expect(delegation.errorCodes()).toEqual([]);
  });

  test("while it is being handed over: what the platform took is cancelled when that is known", async () => {
    await startOut();
    delegation.gate.hold("POST", "answer");
    await queue.drop("far.md", delegable("A long one."));
    await until("the platform has it", () => delegation.gate.held() === 1);
    expect(await cancel("far.md")).toBe(inFailed("far.md"));
    delegation.gate.release();
    await told("far.md", "cancelled");
    await until("the marker is gone", async () => (await delegation.markers()).length === 0);
    await expectCancelled("far.md", delegable("A long one."));
    expect(delegation.platform.jobs()).toMatchObject([{ status: "cancelled" }]);
    expect((await status()).delegation.active).toBe(0);
  });

  test("while it waits to be handed over: the platform never hears of it", async () => {
    await startOut({ more: "concurrency: 1" });
    delegation.gate.hold("POST", "question");
    await queue.drop("first.md", delegable("The first."));
    await until("the first is on its way", () => delegation.gate.held() === 1);
    await queue.drop("second.md", delegable("The second."));
    await told("second.md", "routed");
    await cancel("second.md");
    await told("second.md", "cancelled");
    delegation.gate.release();
    await told("first.md", "delegated");
    await expectCancelled("second.md", delegable("The second."));
    expect(delegation.platform.jobs()).toHaveLength(1);
  });

  test("while the answer is on its way that the platform is done: it is over once", async () => {
    await startOut({ platform: { delayMs: 20 }, poll: "1s" });
    delegation.gate.hold("GET", "answer");
    await queue.drop("far.md", delegable("A short one."));
    await until("the answer is on its way", () => delegation.gate.held() === 1);
    expect(delegation.platform.jobs()).toMatchObject([{ status: "completed" }]);
    expect(await cancel("far.md")).toBe(inFailed("far.md"));
    delegation.gate.release();
    const isOver = () => ["done", "cancelled"].some((type) => eventsOf("far.md").some((each) => each === type));
    await until("it is over", isOver);
    await expectCancelled("far.md", delegable("A short one."));
    expect(eventsOf("far.md").at(-1)).toBe("cancelled");
  });

  test("and its file, where it was changed meanwhile, is the next task of that name", async () => {
    await startOut();
    await queue.drop("far.md", delegable("A long one."));
    await told("far.md", "delegated");
    await queue.drop("far.md", delegable("Another one."));
    expect(await cancel("far.md")).toBe(inFailed("far.md"));
    await until("the other is out", () => delegation.platform.jobs().length === 2);
    expect(await queue.read("failed", "far.md")).toContain("A long one.");
    const texts = delegation.platform
      .jobs()
      .map(({ submission, status: state }) => `${submission.prompt.trim()} ${state}`);
    expect(texts).toEqual(["A long one. cancelled", expect.stringMatching(/^Another one\. (queued|running)$/)]);
  });
});

describe("a task is meant by", () => {
  const WAITING = Array.from({ length: 26 }, (_, index) => `task-${index}.md`);

  async function startWaiting(): Promise<void> {
    await start();
    await keepBusy();
    for (const name of WAITING) await queue.drop(name, `${name}\n`);
    await until("all wait", async () => (await status()).queues.local.waiting === WAITING.length);
  }

  test("its name, that with its project, its path, its job's id, and the beginning of that", async () => {
    await startWaiting();
    const inbox = join(queue.project, ".agent-queue", "inbox");
    const ways = [
      (name: string) => name,
      (name: string) => `alpha/${name}`,
      (name: string) => join(inbox, name),
      idOf,
      (name: string) => idOf(name).slice(0, 8),
    ];
    for (const [index, way] of ways.entries()) {
      for (const name of WAITING.slice(index * 5, index * 5 + 5)) expect(await cancel(way(name))).toBe(inFailed(name));
    }
    expect(await cancel(join(inbox, "busy.md.dispatched"))).toBe(inFailed("busy.md"));
    expect(await queue.settled("done", 1)).toEqual(WAITING.slice(25));
  });

  test("the id of a running one", async () => {
    await start();
    await keepBusy();
    expect(await cancel(idOf("busy.md").slice(0, 6))).toBe(inFailed("busy.md"));
    await told("busy.md", "cancelled");
    expect(await cancel(idOf("busy.md"))).toBe("TASK_UNKNOWN");
  });

  test("not by the beginning of several ids, which are all named", async () => {
    await startWaiting();
    const ids = [...WAITING, "busy.md"].map(idOf);
    const sharing = (letter: string) => ids.filter((id) => id.startsWith(letter));
    const letter = ids.map((id) => id.slice(0, 1)).find((each) => sharing(each).length > 1) ?? "";
    const url = `${queue.app.url}/api/tasks/${letter}/cancel`;
    const { code, detail } = refused.parse(await (await fetch(url, { method: "POST" })).json());
    expect(code).toBe("TASK_AMBIGUOUS");
    for (const id of sharing(letter)) expect(detail).toContain(`${id} (alpha/`);
    expect(await queue.names("failed")).toEqual([]);
  });

  test("not by a name in two projects, which are both named", async () => {
    await start();
    await keepBusy();
    const beta = join(queue.dir, "projects", "beta");
    mkdirSync(join(beta, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("same.md", "of alpha\n");
    await queue.drop("same.md", "of beta\n", beta);
    await until("both wait", async () => (await status()).queues.local.waiting === 2);
    const response = await fetch(`${queue.app.url}/api/tasks/same.md/cancel`, { method: "POST" });
    const { code, detail } = refused.parse(await response.json());
    expect([response.status, code]).toEqual([409, "TASK_AMBIGUOUS"]);
    expect(detail).toMatch(/alpha\/same\.md/);
    expect(detail).toMatch(/beta\/same\.md/);
    expect(await cancel("beta/same.md")).toBe(join(beta, ".agent-queue", "failed", "same.md"));
    expect(await cancel("same.md")).toBe(inFailed("same.md"));
  });
});

describe("a hostile name", () => {
  /** Every file in the queue's directory that belongs to a project, and its text. */
  function files(): Record<string, string> {
    const paths = readdirSync(join(queue.dir, "projects"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return Object.fromEntries(paths.map((path) => [path, readFileSync(path, "utf8")]));
  }

  test("that is no task's does nothing at all", async () => {
    await start();
    await keepBusy();
    await dropWaiting("x.md");
    const folders = [queue.dir, join(queue.dir, "projects"), queue.project, join(queue.project, ".agent-queue")];
    for (const folder of [...folders, join(queue.dir, "home")]) writeFileSync(join(folder, "canary.md"), "mine\n");
    const before = files();
    const names = [
      ...["../canary.md", "../../canary.md", "../../../canary.md", "alpha/../canary.md", "./canary.md", ".."],
      ...[
        "%2e%2e/canary.md",
        "..%2fcanary.md",
        "%2e%2e",
        "~/canary.md",
        "*.md",
        "?.md",
        "x.md\0",
        "\0",
        "$(reboot).md",
      ],
      ...[
        "/etc/passwd",
        "/etc/canary.md",
        "/",
        "",
        " ",
        "\n",
        "-",
        "--help",
        "x.md x.md",
        "x.md\n",
        "alpha\\x.md",
        "X.md",
      ],
      ...[join(queue.dir, "canary.md"), join(queue.project, "canary.md"), "canary.md", "alpha/canary.md"],
      ...[join(queue.project, ".agent-queue", "inbox", "..", "canary.md"), `${"x".repeat(300)}.md`],
    ];
    for (const name of names) {
      const path = `/api/tasks/${encodeURIComponent(name)}/cancel`;
      const response = await fetch(`${queue.app.url}${path}`, { method: "POST" });
      expect([name, response.status]).toEqual([name, 404]);
    }
    // The client itself leaves the dot out, and asks for another route.
    expect((await fetch(`${queue.app.url}/api/tasks/./cancel`, { method: "POST" })).status).toBe(405);
    for (const path of [
      "/api/tasks/../x.md/cancel",
      "/api/tasks/%2e%2e/cancel",
      "/api/tasks/%2e%2e%2f%2e%2e%2fx.md/cancel",
    ])
      expect((await fetch(`${queue.app.url}${path}`, { method: "POST" })).status).toBe(404);
    expect(files()).toEqual(before);
    expect((await status()).queues.local).toMatchObject({ waiting: 1, active: 1 });
    expect(queue.errors).toEqual([]);
  });

  test.each([
    "a b.md",
    "quo'te\"s.md",
    "new\nline.md",
    "ü 東京 🎏.md",
    "-rf.md",
    "50%25.md",
    "$(touch PWNED).md",
    "a;b|c&d.md",
  ])("that is a task's, %j, cancels that task", async (name) => {
    await start();
    await keepBusy();
    await dropWaiting(name);
    await dropWaiting("other.md");
    const before = files();
    expect(await cancel(name)).toBe(inFailed(name));
    await told(name, "cancelled");
    const path = join(queue.project, ".agent-queue", "inbox", name);
    const { [path]: _gone, ...others } = before;
    const { [inFailed(name)]: written, ...after } = files();
    expect(after).toEqual(others);
    expect(written).toMatch(/^waits\n/);
  });
});

describe("of a task that ends at that very moment, exactly one of done/ and failed/ has it", () => {
  const ROUNDS = 60;

  test(`${ROUNDS} times`, async () => {
    await start({ sessions: 6, workMs: 1 });
    const answers = new Map<string, Promise<string>>();
    // Its end counts half a second after it; the steps that follow are what we want to meet, so we go where it comes out
    // now one way and now the other.
    let cancelAtMs = 600;
    queue.app.events.on(({ type, task }) => {
      if (type === "done") cancelAtMs -= 15;
      if (type === "cancelled") cancelAtMs += 15;
      if (type === "submitted")
        answers.set(
          task.name,
          sleep(cancelAtMs + Math.random() * 100).then(() => cancel(task.name)),
        );
    });
    const names = Array.from({ length: ROUNDS }, (_, index) => `task-${index}.md`);
    for (const name of names) await queue.drop(name, `${name}\n`);
    const isOver = (name: string) => ["done", "cancelled"].some((type) => eventsOf(name).some((each) => each === type));
    await until("all are over", () => names.every(isOver), 90_000);
    const outcomes = await Promise.all(names.map(async (name) => `${name} ${await answers.get(name)}`));
    const [done, failed] = [await queue.names("done"), await queue.names("failed")];
    expect([...done, ...failed].toSorted()).toEqual(names.toSorted());
    expect(await queue.names("inbox")).toEqual([]);
    expect(outcomes.toSorted()).toEqual(
      names.map((name) => `${name} ${failed.includes(name) ? inFailed(name) : "TASK_UNKNOWN"}`).toSorted(),
    );
    for (const name of names) expect(eventsOf(name).at(-1)).toBe(done.includes(name) ? "done" : "cancelled");
    for (const name of failed) expect(await queue.read("failed", name)).toContain("| ccl-queue | cancelled |");
    expect(done.length, "rounds that met the end").toBeGreaterThan(0);
    expect(failed.length, "rounds that met the end").toBeGreaterThan(0);
    expect(queue.errors).toEqual([]);
    await until("all sessions are idle", async () => (await status()).sessions.every(({ state }) => state === "idle"));
  }, 120_000);
});

describe("whatever else happens to a task's file in that moment, its cancellation", () => {
  const ROUNDS = 200;
  const TEXT = "Do it.\n";
  let task: TaskFile;
  let inbox: string;

  function newTask(fileName: string): void {
    const project = mkdtempSync(join(tmpdir(), "ccl-cancel-"));
    onTestFinished(() => rmSync(project, { recursive: true }));
    task = { project, name: "x.md" };
    inbox = join(project, ".agent-queue", "inbox");
    mkdirSync(inbox, { recursive: true });
    writeFileSync(join(inbox, fileName), TEXT);
  }

  const names = (folder: string) => {
    const path = join(task.project, ".agent-queue", folder);
    return existsSync(path) ? readdirSync(path) : [];
  };

  /** Cancels the task within the same few steps of the disk as the other thing happens. */
  async function cancelDuring(
    round: number,
    other: () => Promise<unknown>,
    otherTurns = (round >> 3) % 8,
  ): Promise<[string, string]> {
    const [cancelled, happened] = await Promise.allSettled([
      hesitate(round % 8).then(async () => await cancelTask(task, null)),
      hesitate(otherTurns).then(other),
    ]);
    return [cancelled.status, happened.status];
  }

  test("and the end of its run never both win", async () => {
    const winners = new Set<string>();
    let turns = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      newTask("x.md.dispatched");
      const footer = { result: "done", finishedAt: new Date(), run: "kabcdefghi-1" } as const;
      const finish = async () => await takeAndShelve(task, claimedPath(task), "done", footer);
      const [cancelled, finished] = await cancelDuring(round, finish, turns);
      expect([names("inbox"), [...names("done"), ...names("failed")]]).toEqual([[], ["x.md"]]);
      const winner = names("done").length > 0 ? "done" : "failed";
      const [path = ""] = [join(task.project, ".agent-queue", winner, "x.md")];
      expect(readFileSync(path, "utf8").startsWith(TEXT)).toBe(true);
      expect([cancelled, finished]).toEqual(winner === "done" ? ["rejected", "fulfilled"] : ["fulfilled", "rejected"]);
      winners.add(winner);
      turns = nextHesitation(turns, winner === "done");
    }
    expect(winners).toEqual(new Set(["done", "failed"]));
  });

  test("outdoes its launch", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      newTask("x.md");
      const seen = await sight(taskPath(task));
      const launch = async () => await claim(task, seen === null ? "" : fingerprint(seen));
      expect(await cancelDuring(round, launch)).toEqual(["fulfilled", "fulfilled"]);
      expect([names("inbox"), names("failed")]).toEqual([[], ["x.md"]]);
    }
  });

  test("outdoes its return to the inbox", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      newTask("x.md.dispatched");
      const [cancelled] = await cancelDuring(round, async () => await unclaim(task));
      expect(cancelled).toBe("fulfilled");
      expect([names("inbox"), names("failed")]).toEqual([[], ["x.md"]]);
    }
  });

  test("outdoes its rejection, or is told that it was too late", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      newTask("x.md");
      const error = { code: "TASK_INVALID", message: "it is empty" };
      await cancelDuring(
        round,
        async () => await rejectTask(task, { result: "rejected", finishedAt: new Date(), error }),
      );
      expect([names("inbox"), names("failed").filter((name) => name === "x.md")]).toEqual([[], ["x.md"]]);
    }
  });
});

describe("a crash while a run ends its task: the next start does it again", () => {
  const TEXT = "Do it.\n";
  const footer = { result: "done", finishedAt: new Date(), run: "kabcdefghi-1" } as const;
  let task: TaskFile;
  const at = (...parts: string[]) => join(task.project, ".agent-queue", ...parts);
  const finish = async () => await takeAndShelve(task, claimedPath(task), "done", footer);

  beforeEach(() => {
    const project = mkdtempSync(join(tmpdir(), "ccl-cancel-"));
    onTestFinished(() => rmSync(project, { recursive: true }));
    task = { project, name: "x.md" };
    mkdirSync(at("inbox"), { recursive: true });
    mkdirSync(at("done"));
  });

  function expectDone(): void {
    expect([readdirSync(at("inbox")), readdirSync(at("done"))]).toEqual([[], ["x.md"]]);
    expect(readFileSync(at("done", "x.md"), "utf8")).toBe(TEXT + renderFooter(footer));
  }

  test("before its file was taken", async () => {
    writeFileSync(at("inbox", "x.md.dispatched"), TEXT);
    expect(await finish()).toBe(at("done", "x.md"));
    expectDone();
  });

  test("after that, and after a draft was begun", async () => {
    writeFileSync(at("inbox", ".kabcdefghi-1.taken"), TEXT);
    writeFileSync(at("done", ".kabcdefghi-1.draft"), "Do");
    await finish();
    expectDone();
  });

  test("after it appeared", async () => {
    writeFileSync(at("inbox", ".kabcdefghi-1.taken"), TEXT);
    writeFileSync(at("done", "x.md"), TEXT + renderFooter(footer));
    await finish();
    expectDone();
  });

  test("after everything", async () => {
    writeFileSync(at("inbox", "x.md.dispatched"), TEXT);
    await finish();
    expect(await finish()).toBe(at("done", "x.md"));
    expectDone();
  });

  test("and the result was put back before what it was made of went: it is not written again", async () => {
    writeFileSync(at("inbox", ".kabcdefghi-1.taken"), TEXT);
    writeFileSync(at("inbox", "x.md"), TEXT + renderFooter(footer));
    await finish();
    expect([readdirSync(at("inbox")), readdirSync(at("done"))]).toEqual([["x.md"], []]);
  });

  test("and the result was put back after that: no footer appears alone", async () => {
    writeFileSync(at("inbox", "x.md"), TEXT + renderFooter(footer));
    await expect(finish()).rejects.toMatchObject({ code: "ENOENT" });
    expect(await shelveClaimed(task, "done", footer)).toBe(at("inbox", "x.md"));
    expect([readdirSync(at("inbox")), readdirSync(at("done"))]).toEqual([["x.md"], []]);
  });

  test("and a file of another run is left alone", async () => {
    writeFileSync(at("inbox", ".kabcdefghi-1.taken"), TEXT);
    writeFileSync(at("inbox", "x.md.dispatched"), "of the next run");
    await finish();
    expect(readFileSync(at("inbox", "x.md.dispatched"), "utf8")).toBe("of the next run");
    expect(readFileSync(at("done", "x.md"), "utf8")).toBe(TEXT + renderFooter(footer));
  });
});
