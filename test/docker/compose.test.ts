import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../helpers/until.ts";
import type { ServiceName } from "./compose-project.ts";
import { buildImage, type Stack, startStack } from "./stack.ts";

const TASKS = 20;
const DONE_MS = 120_000;
const SERVICES: readonly ServiceName[] = ["ccl-queue", "redis", "agents", "init"];

let stack: Stack;
/** Names of tasks are used once. */
let round = 0;

beforeAll(async () => {
  stack = await startStack();
}, 600_000);

afterAll(async () => {
  await stack.down();
}, 60_000);

beforeEach(() => {
  round += 1;
});

/** Drops as many tasks as there are sessions, and waits until an agent works on each. Returns their files. */
async function runningTasks(): Promise<string[]> {
  const names = Array.from({ length: TASKS }, (_, index) => `r${round}-${String(index).padStart(2, "0")}.md`);
  for (const name of names) await stack.drop(name, `task ${name}\nagent: work 12s\nagent: say ${name}\n`);
  await until("all run", async () => (await eventsOf(names, "submit")).length === TASKS, DONE_MS);
  return names;
}

/** What the agents wrote down of these tasks. */
async function eventsOf(names: readonly string[], event: "submit" | "end") {
  const seen = await stack.witness();
  return seen.filter((it) => it.event === event && names.some((name) => it.firstLine === `task ${name}`));
}

async function allDone(names: readonly string[]): Promise<void> {
  const done = async () => (await stack.names("done")).filter((file) => names.includes(file));
  await until("all are done", async () => (await done()).length === names.length, DONE_MS);
  await until("the inbox is empty", async () => (await stack.names("inbox")).length === 0);
  expect(await stack.names("failed")).toEqual([]);
}

/** Starts what is missing. The guests of `init` may be trying to come back before it is there, and then stay down. */
async function bringBack(): Promise<void> {
  const back = async () => {
    await stack.compose("up", "-d");
    const running = SERVICES.map(async (service) => await stack.inspect(service, "{{.State.Running}}"));
    return (await Promise.all(running)).every((it) => it === "true") && (await stack.ask("/readyz"))?.status === 200;
  };
  await until("all are back", back, DONE_MS);
}

/** Each task was finished by one run, and by `submits` runs at most it was begun. */
async function ranOnce(names: readonly string[], submits: 1 | 2): Promise<void> {
  const begun = await eventsOf(names, "submit");
  const sessions = new Set(begun.map(({ session }) => session));
  expect(sessions.size).toBe(TASKS);
  // A run that goes on with another's session is told so in other words, and has the session in common.
  const all = (await stack.witness()).filter(({ session }) => sessions.has(session));
  for (const session of sessions) {
    const own = all.filter((it) => it.session === session);
    expect(own.filter(({ event }) => event === "submit").length).toBeLessThanOrEqual(submits);
    expect(own.filter((it) => it.event === "end" && it["cause"] === "Stop")).toHaveLength(1);
  }
}

/** An agent that dies is tried again, so its task is begun twice; whatever else happens, it is begun once. */
const beginnings = (service: ServiceName) => (service === "redis" || service === "ccl-queue" ? 1 : 2);

describe("the stack", () => {
  test("does a task that is dropped into the mounted folder, and those of the sample project", async () => {
    await stack.drop("dropped.md", "agent: write made.txt here\nagent: say It is done.\n");
    await until("it is done", async () => (await stack.names("done")).includes("dropped.md"));
    expect(await stack.read("done", "dropped.md")).toContain("\n> It is done.\n");
    const sample = async (name: string) =>
      await readFile(join(stack.project, "../demo/.agent-queue/done", name), "utf8").catch(() => "");
    await until(
      "the samples are done",
      async () => (await sample("hello.md")) !== "" && (await sample("notes.md")) !== "",
    );
    expect(await sample("notes.md")).toContain("| route | delegated: complexity_hint is low |");
  });

  test.each(["/", "/queues", "/watchdog/status"])("answers at %s with the token, and not without", async (path) => {
    expect((await stack.ask(path, stack.token))?.status).toBe(200);
    expect((await stack.ask(path, "wrong"))?.status).toBe(401);
    expect((await stack.ask(path))?.status).toBe(401);
  });

  test("publishes one port, on this machine alone", async () => {
    expect(await stack.published()).toEqual([["127.0.0.1", new URL(stack.url).port]]);
  });

  test("runs neither agents nor the daemon as root, and gives them no privileges", async () => {
    const rights = "{{.Config.User}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}}";
    expect(await stack.inspect("init", rights)).toMatch(/^[1-9]\d*:\d+ \[ALL\] false$/);
    for (const service of ["agents", "ccl-queue"] as const) {
      expect(await stack.inspect(service, rights)).toBe("node [ALL] false");
    }
  });

  test("shows an agent at work to whoever attaches from the daemon's container", async () => {
    await stack.drop("seen.md", "agent: say I am watched\nagent: work 5s\n");
    const look = "for n in $(seq 11 30); do tmux capture-pane -p -t ccl-auto-$n; done";
    const screens = async () => await stack.compose("exec", "-T", "ccl-queue", "sh", "-c", look);
    await until("it is seen", async () => (await screens()).includes("agent: say I am watched"));
    await until("it is done", async () => (await stack.names("done")).includes("seen.md"), 60_000);
    expect(await stack.read("done", "seen.md")).toContain("\n> I am watched\n");
  });

  test("gives agents no way to Redis, and none of the queue's keys in their environment", async () => {
    const agents = ["exec", "-T", "agents", "sh", "-c"];
    expect(await stack.compose(...agents, "env")).not.toMatch(/REDIS_URL|CCL_QUEUE_TOKEN|SECUTOOLS/);
    const reach = 'node -e \'require("net").connect(6379, "redis").on("error", (e) => console.log(e.code))\'';
    expect((await stack.compose(...agents, reach)).trim()).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });
});

describe("twenty running tasks are each done once", () => {
  test.each(SERVICES)("when %s is restarted", async (service) => {
    const names = await runningTasks();
    await stack.compose("restart", service);
    if (service === "init") await bringBack();
    await allDone(names);
    await ranOnce(names, beginnings(service));
  });

  test.each(SERVICES)("when %s is killed", async (service) => {
    const names = await runningTasks();
    await stack.compose("kill", "-s", "KILL", service);
    // Whoever kills by hand has to start by hand.
    if (service === "init") await bringBack();
    else await stack.compose("up", "-d");
    await allDone(names);
    await ranOnce(names, beginnings(service));
  });

  test("when the daemon gets a new image", async () => {
    const names = await runningTasks();
    const before = await stack.inspect("ccl-queue", "{{.Image}}");
    await buildImage(undefined, "--label", `round=${round}`);
    await stack.compose("up", "-d", "--no-deps", "ccl-queue");
    expect(await stack.inspect("ccl-queue", "{{.Image}}")).not.toBe(before);
    await allDone(names);
    await ranOnce(names, 1);
    // The others get theirs now, and not in the middle of the next test.
    await stack.compose("up", "-d");
    await stack.ready();
  });

  test("when the engine itself starts again what has crashed", async () => {
    const names = await runningTasks();
    for (const service of ["ccl-queue", "redis"] as const) {
      const pid = await stack.inspect(service, "{{.State.Pid}}");
      await execa("docker", ["run", "--rm", "--pid", "host", "--user", "0", "ccl-queue:test", "kill", "-9", pid]);
    }
    await allDone(names);
    await ranOnce(names, 1);
  });
});
