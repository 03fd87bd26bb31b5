import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { sessionList } from "../../src/cli/sessions.ts";
import { readHosts } from "../../src/control/hosts.ts";
import { overview } from "../../src/control/overview.ts";
import { TaskEvents } from "../../src/core/events.ts";
import { Hosts as KnownHosts } from "../../src/queue/hosts.ts";
import { TaskIndex } from "../../src/queue/task-index.ts";
import { Takeover } from "../../src/workers/takeover.ts";
import { type Hosts, prepareHosts, type TestHost } from "../helpers/hosts.ts";
import type { FixtureOptions } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 60_000;

let hosts: Hosts;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function prepare(options: FixtureOptions = {}): Promise<void> {
  hosts = await prepareHosts({ sessions: 1, ...options });
  cleanups.push(async () => await hosts.stop());
}

/** The hosts as Redis knows them. */
function knownHosts(): KnownHosts {
  const known = new KnownHosts({ address: hosts.redis.address, onError: () => {} });
  cleanups.push(async () => await known.stop());
  return known;
}

const nameOf = async ({ config }: TestHost) => (await readFile(join(config.stateDir, "host-id"), "utf8")).trim();
const submits = async () => (await hosts.queue.witness()).filter(({ event }) => event === "submit");
/** The id that the queue gave the task when it was dropped. */
const firstId = ({ events }: TestHost) => events.find(({ type }) => type === "seen")?.id ?? "";
const types = ({ events }: TestHost) => events.map(({ type }) => type);
/** Without what a host tells that is back: it may take a file for new that has come and gone meanwhile. */
const typesOf = ({ events }: TestHost, id: string) => events.filter((event) => event.id === id).map(({ type }) => type);

/** What any host does that is asked to take over another. */
async function adopt(host: TestHost): Promise<void> {
  const events = new TaskEvents();
  const shared = { address: hosts.redis.address, workspace: "default", onError: () => {} };
  const options = { ...shared, host: "somebody", hosts: knownHosts(), goneAfterMs: MINUTE_MS, events };
  expect(await new Takeover(options).adopt(await nameOf(host))).toHaveLength(1);
}

async function sessionStates({ app }: TestHost): Promise<string[]> {
  const { sessions } = sessionList.parse(await (await fetch(`${app.url}/api/sessions`)).json());
  return sessions.map(({ state }) => state);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What the queue says of tasks. */
async function jobStates(ids: Iterable<string>, workspace = "default"): Promise<string[]> {
  const index = new TaskIndex({ address: hosts.redis.address, workspace, onError: () => {} });
  cleanups.push(async () => await index.stop());
  const rows = await Promise.all([...ids].map(async (id) => await index.find(id)));
  return rows.flat().map(({ state }) => state);
}

/** A host whose agent works on the task. */
async function startAtWork(text: string, sessions = 1): Promise<TestHost> {
  const pool = { prefix: "ccl-auto-", startIndex: 11, min: sessions, max: sessions };
  const host = await hosts.start("one", { pool });
  await hosts.queue.drop("x.md", text);
  await until("it works", async () => (await submits()).length === 1);
  const known = knownHosts();
  const id = await nameOf(host);
  await until("it is known", async () => (await known.list(Date.now())).some((beat) => beat.host === id));
  return host;
}

async function expectDoneOnce(one: TestHost): Promise<void> {
  expect(await hosts.queue.names("done")).toEqual(["x.md"]);
  expect(await hosts.queue.names("failed")).toEqual([]);
  expect(await hosts.queue.names("inbox")).toEqual([]);
  expect(await jobStates([firstId(one)])).toEqual(["done"]);
}

describe("a host that was cut off", () => {
  test(
    "drops what others have taken over: one result, its agent is gone, its session is free",
    async () => {
      await prepare();
      const one = await startAtWork("agent: work 4s\n");
      const [{ pid = 0 } = {}] = await submits();
      one.gate.cut();
      await adopt(one);
      const two = await hosts.start("two");
      await until("the other works on it", async () => (await submits()).length === 2);
      await hosts.queue.settled("done", 1);
      one.gate.mend();
      await until("its agent is gone", () => !isAlive(pid));
      await until("its session is free", async () => (await sessionStates(one)).join() === "idle", 20_000);
      await expectDoneOnce(one);
      await until("the other tells it", () => types(two).includes("done"));
      for (const type of ["done", "cancelled"]) expect(typesOf(one, firstId(one))).not.toContain(type);
      expect(typesOf(two, firstId(one))).not.toContain("cancelled");
      expect(await submits()).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  test(
    "while the other is still at work on it, leaves that one its claim, though its own agent has finished",
    async () => {
      await prepare();
      const one = await startAtWork("agent: work 1500ms\n");
      one.gate.cut();
      await adopt(one);
      const two = await hosts.start("two");
      await until("the other works on it", async () => (await submits()).length === 2);
      one.gate.mend();
      await hosts.queue.settled("done", 1);
      await until("the other tells it", () => types(two).includes("done"));
      await until("its session is free", async () => (await sessionStates(one)).join() === "idle", 20_000);
      await expectDoneOnce(one);
      expect(await hosts.queue.read("done", "x.md")).toContain("-2 |");
      for (const type of ["done", "cancelled"]) expect(typesOf(one, firstId(one))).not.toContain(type);
      expect(typesOf(two, firstId(one))).not.toContain("cancelled");
    },
    TIMEOUT_MS,
  );

  test(
    "and gets its own task back, drops the old run of it",
    async () => {
      await prepare();
      const one = await startAtWork("agent: work 15s\n", 2);
      const [{ pid = 0 } = {}] = await submits();
      one.gate.cut();
      await adopt(one);
      one.gate.mend();
      await until("it works on it anew", async () => (await submits()).length === 2);
      await until("the old agent is gone", () => !isAlive(pid), 20_000);
      const states = new Set<string>();
      const look = async () => {
        for (const state of await jobStates([firstId(one)])) states.add(state);
        return (await hosts.queue.names("done")).some((name) => !name.startsWith("."));
      };
      await until("it is done", look, 30_000);
      expect([...states].filter((state) => state !== "done")).toEqual(["running"]);
      await until("both sessions are free", async () => (await sessionStates(one)).join() === "idle,idle");
      await expectDoneOnce(one);
      expect(typesOf(one, firstId(one))).not.toContain("cancelled");
      expect(types(one).filter((type) => type === "done")).toHaveLength(1);
      expect(await submits()).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  test(
    "for a while only, keeps its work: what has finished meanwhile is finalised once it is back",
    async () => {
      await prepare();
      const one = await startAtWork("agent: work 500ms\n");
      const two = await hosts.start("two");
      one.gate.cut();
      await until("its agent has finished", async () =>
        (await hosts.queue.witness()).some(({ event }) => event === "end"),
      );
      one.gate.mend();
      await hosts.queue.settled("done", 1);
      await until("it is told", () => types(one).includes("done"));
      await expectDoneOnce(one);
      expect(await submits()).toHaveLength(1);
      expect(types(two)).not.toContain("launched");
    },
    TIMEOUT_MS,
  );
});

test(
  "a job that was given to a host in an answer that never arrived is not lost",
  async () => {
    await prepare();
    const one = await hosts.start("one");
    // What BullMQ names when it hands out a job, and at no other time here.
    one.gate.loseAnswerTo("{ccl-queue:default}:local:limiter");
    await hosts.queue.drop("x.md", "agent: work 1ms\n");
    await hosts.queue.settled("done", 1, 40_000);
    await until("it is told", () => types(one).includes("done"));
    await expectDoneOnce(one);
    expect(await submits()).toHaveLength(1);
  },
  TIMEOUT_MS,
);

describe("a host that is stopped in order", () => {
  test(
    "is left alone with its agents, and finishes them after its next start",
    async () => {
      await prepare();
      const one = await startAtWork("agent: work 3s\n");
      // It would be dead long before it is back.
      const two = await hosts.start("two", { goneAfterMs: 1_000 });
      await one.app.stop();
      const views = async () => await readHosts(knownHosts(), 1_000);
      const [name, other] = [await nameOf(one), await nameOf(two)];
      await until("both are known", async () => (await views()).length === 2);
      expect((await views()).find(({ host }) => host === name)).toMatchObject({
        state: "stopped",
        workspace: "default",
      });
      expect((await views()).find(({ host }) => host === other)?.state).not.toBe("stopped");
      // The other looks every 5 s.
      const endedMs = performance.now() + 7_000;
      await until("the agent has finished", () => performance.now() > endedMs);
      expect(types(two)).not.toContain("recovered");
      expect(await jobStates([firstId(one)])).toEqual(["running"]);
      const again = await hosts.start("one");
      await hosts.queue.settled("done", 1);
      await until("it is told", () => types(again).includes("done"));
      await expectDoneOnce(one);
      expect(await submits()).toHaveLength(1);
      expect([...types(one), ...types(again), ...types(two)]).not.toContain("cancelled");
      expect((await views()).find(({ host }) => host === name)?.state).toBe("up");
    },
    TIMEOUT_MS,
  );
});

describe("workspaces of their own on one Redis", () => {
  test(
    "are kept apart, and seen together",
    async () => {
      await prepare();
      const { queue } = hosts;
      const folders = ["left", "right"].map((name) => join(queue.dir, name));
      const [left = "", right = ""] = folders.map((folder) => join(folder, "alpha"));
      for (const project of [left, right]) await mkdir(join(project, ".agent-queue", "inbox"), { recursive: true });
      const names = Array.from({ length: 6 }, (_, index) => `task-${index}.md`);
      const apart = await Promise.all(
        folders.map(async (projectsDir, index) => {
          const workspace = ["left", "right"][index] ?? "";
          return await hosts.start(workspace, { workspace, projectsDir });
        }),
      );
      for (const name of names) {
        await queue.drop(name, `agent: say of the left ${name}\n`, left);
        await queue.drop(name, `agent: say of the right ${name}\n`, right);
      }
      for (const project of [left, right])
        await until("all are done", async () => (await queue.names("done", project)).join() === names.join());
      await until("all are told", () =>
        apart.every((host) => types(host).filter((type) => type === "done").length === 6),
      );
      expect(await queue.names("done", left)).toEqual(names);
      expect(await queue.names("done", right)).toEqual(names);
      for (const [side, project] of [
        ["left", left],
        ["right", right],
      ] as const) {
        const [host] = apart.filter(({ config }) => config.workspace === side);
        expect(new Set(host?.events.map(({ task }) => task.project))).toEqual(new Set([project]));
        const text = await readFile(join(project, ".agent-queue", "done", "task-0.md"), "utf8");
        expect(text).toContain(`> of the ${side} task-0.md`);
      }
      for (const host of apart)
        expect(await jobStates(new Set(host.events.map(({ id }) => id)), host.config.workspace)).toEqual(
          names.map(() => "done"),
        );
      expect(await submits()).toHaveLength(2 * names.length);
      const views = await until("both are known", async () => {
        const seen = await readHosts(knownHosts(), MINUTE_MS);
        return seen.length === 2 && seen;
      });
      expect(views).toMatchObject([
        { workspace: "left", state: "up", verdict: "ok" },
        { workspace: "right", state: "up", verdict: "ok" },
      ]);
      const seen = await Promise.all(
        apart.map(async ({ config }) => await askDaemon(config.stateDir, "GET", "/api/overview", overview)),
      );
      expect(seen.map(({ others }) => others.map(({ workspace }) => workspace))).toEqual([["right"], ["left"]]);
      // Nobody takes over what belongs to another workspace.
      const somebody = { address: hosts.redis.address, workspace: "left", onError: () => {}, events: new TaskEvents() };
      const takeover = new Takeover({ ...somebody, host: "somebody", hosts: knownHosts(), goneAfterMs: MINUTE_MS });
      const [, other] = apart;
      if (other === undefined) throw new Error("there is no other host");
      await expect(takeover.adopt(await nameOf(other))).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    },
    TIMEOUT_MS,
  );
});
