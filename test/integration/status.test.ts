import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { App } from "../../src/app.ts";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { delegationStatusSchema } from "../../src/control/delegation-status.ts";
import { type Status, statusSchema } from "../../src/control/status.ts";
import { type Delegation, delegable, startDelegation } from "../helpers/delegation.ts";
import { prepareQueue, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;

let queue: QueueFixture;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a queue that is stopped with the test. */
async function start(options: Parameters<typeof startQueue>[0] = {}): Promise<void> {
  queue = await startQueue(options);
  cleanups.push(async () => await queue.stop());
}

/** The answer of the watchdog's page, which holds nothing that its description does not know. */
async function status(app: App = queue.app): Promise<Status> {
  const response = await fetch(`${app.url}/watchdog/status`);
  const body: unknown = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  const found = statusSchema.parse(body);
  expect(found).toEqual(body);
  return found;
}

async function statusWhen(what: string, isSo: (found: Status) => boolean, timeoutMs?: number): Promise<Status> {
  const seen = async () => {
    const found = await status();
    return isSo(found) ? found : null;
  };
  return await until(what, seen, timeoutMs);
}

const states = ({ sessions }: Status) => sessions.map(({ name, state }) => `${name} ${state}`);
const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const idOf = (name: string) => queue.events.find(({ type, task }) => type === "seen" && task.name === name)?.id;
const isRouted = (name: string) => queue.events.some(({ type, task }) => type === "routed" && task.name === name);

describe("the sessions and runs", () => {
  test("of a queue with nothing to do are idle and none", async () => {
    await start();
    const before = Date.now();
    const found = await statusWhen("both are idle", ({ sessions }) => sessions.every(({ state }) => state === "idle"));
    expect(found).toMatchObject({ verdict: "ok", reasons: [], hold: null, runs: [] });
    expect(states(found)).toEqual(["ccl-auto-11 idle", "ccl-auto-12 idle"]);
    const none = { waiting: 0, active: 0, delayed: 0, oldest_ms: null };
    expect(found.queues).toEqual({ inbox: none, local: none, delegated: none });
    expect(found.delegation).toMatchObject({ configured: false, active: 0, submitted: 0 });
    expect(Date.parse(found.at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(found.at)).toBeLessThanOrEqual(Date.now());
  });

  test("show each run with its session, its phase, and how long its agent is silent", async () => {
    await start();
    const dropped = Date.now();
    await queue.drop("hangs.md", "---\npriority: critical\n---\nagent: hang\n");
    const running = await statusWhen("it runs", ({ runs }) => runs[0]?.phase === "running");
    expect(running.verdict).toBe("ok");
    expect(states(running)).toEqual(["ccl-auto-11 busy", "ccl-auto-12 idle"]);
    const [run] = running.runs;
    const job = idOf("hangs.md");
    expect(run).toMatchObject({
      ...{ id: `${job}-1`, job, task: "alpha/hangs.md", session: "ccl-auto-11", model: "opus" },
      ...{ attempt: 1, stale: false },
    });
    expect(running.queues.local).toEqual({ waiting: 0, active: 1, delayed: 0, oldest_ms: null });
    const since = Date.parse(run?.since ?? "");
    expect(since).toBeGreaterThanOrEqual(dropped);
    expect(since).toBeLessThanOrEqual(Date.now());

    const silent = run?.silent_ms ?? 0.5;
    expect(silent % 1).toBe(0);
    expect(silent).toBeLessThan(Date.now() - dropped);
    await statusWhen("it is silent for longer", ({ runs }) => (runs[0]?.silent_ms ?? 0) > silent + 200);
  });

  test("show an agent that starts as launching, and the oldest run first", async () => {
    await start();
    await queue.drop("first.md", "agent: start 60s\n");
    await statusWhen("it is launched", ({ runs }) => runs.length === 1);
    await queue.drop("second.md", "agent: hang\n");
    const { runs } = await statusWhen("both run", (found) => found.runs[1]?.phase === "running");
    expect(runs.map(({ task, phase }) => `${task} ${phase}`)).toEqual([
      "alpha/first.md launching",
      "alpha/second.md running",
    ]);
  });

  test("show no run that is over, and its session idle again", async () => {
    await start();
    await queue.drop("task.md", "task\n");
    await queue.settled("done", 1);
    const over = ({ runs, sessions }: Status) => runs.length === 0 && sessions.every(({ state }) => state === "idle");
    expect((await statusWhen("all is quiet", over)).verdict).toBe("ok");
  });

  test("are told apart: busy, cooling, idle, in use by a person, missing", async () => {
    await start({ yaml: "pool: { autonomous: { min: 4, max: 5 } }" });
    await queue.drop("busy.md", "agent: hang\n");
    await statusWhen("it runs", ({ runs }) => runs.length === 1);
    await queue.tmux("send-keys", "-t", "=ccl-auto-14:", "cat", "Enter");
    await statusWhen("a person works", (found) => states(found)[3] === "ccl-auto-14 in use");
    await queue.drop("crashes.md", "agent: early 7\n");
    const found = await statusWhen("one cools", (each) => states(each)[1] === "ccl-auto-12 cooling");
    expect(states(found)).toEqual([
      "ccl-auto-11 busy",
      "ccl-auto-12 cooling",
      "ccl-auto-13 idle",
      "ccl-auto-14 in use",
      "ccl-auto-15 missing",
    ]);
    await statusWhen("it has cooled", (each) => states(each)[1] === "ccl-auto-12 idle");
  });

  test("are all missing when the tmux server is gone, which is an answer too", async () => {
    await start();
    await queue.tmux("kill-server");
    await until("the server is gone", async () => (await fetch(`${queue.app.url}/watchdog/status`)).ok);
    expect(states(await status())).toEqual(["ccl-auto-11 missing", "ccl-auto-12 missing"]);
  });

  test("are as they were after a restart: runs that go on are shown where they stand", async () => {
    await start({ sessions: 1 });
    await queue.drop("hangs.md", "agent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    await queue.drop("waits.md", "waits\n");
    await until("it waits", () => isRouted("waits.md"));
    const before = await statusWhen("it runs", ({ runs }) => runs[0]?.phase === "running");
    await queue.app.stop();
    await queue.app.start();
    const after = await statusWhen("it is seen again", ({ runs }) => runs[0]?.phase === "running");
    expect(after.runs).toEqual([{ ...before.runs[0], silent_ms: expect.any(Number) }]);
    expect(after.runs[0]?.silent_ms).toBeGreaterThan(before.runs[0]?.silent_ms ?? 0);
    expect(states(after)).toEqual(["ccl-auto-11 busy"]);
    expect(after.queues.local).toMatchObject({ active: 1, waiting: 1 });
  });
});

describe("the verdict", () => {
  const LIMIT = "You've hit your 5-hour limit";
  const clock = { ms: 0 };

  /** From now on every agent meets the account's limit, until the returned function is called. */
  async function limit(resetsAtMs: number): Promise<() => Promise<void>> {
    const file = join(queue.dir, "claude", "limit.json");
    await mkdir(join(queue.dir, "claude"), { recursive: true });
    await writeFile(file, JSON.stringify({ message: LIMIT, resetsAt: resetsAtMs / 1_000 }));
    return async () => await rm(file);
  }

  test("is attention while a dialog waits for a person, however long, and says where", async () => {
    await start({ promptTimeout: "500ms" });
    await queue.drop(
      "asks.md",
      "---\ntimeout: 600ms\n---\nagent: dialog Quick safety check: do you trust this folder?\n",
    );
    const found = await statusWhen("it needs attention", ({ verdict }) => verdict === "attention");
    expect(found.reasons).toEqual(["alpha/asks.md needs attention in ccl-auto-11"]);
    const later = await statusWhen("it still does", ({ runs }) => (runs[0]?.silent_ms ?? 0) > 1_500);
    expect(later.verdict).toBe("attention");
    expect(later.runs).toMatchObject([{ phase: "attention", stale: false, session: "ccl-auto-11" }]);
    await queue.tmux("send-keys", "-t", "=ccl-auto-11:", "Enter");
    expect((await statusWhen("it is over", ({ runs }) => runs.length === 0)).verdict).toBe("ok");
  });

  test("is stale when an agent is silent for more than half of its timeout, and names it", async () => {
    await start();
    await queue.drop("silent.md", "---\ntimeout: 4s\n---\nagent: hang\n");
    await queue.drop("patient.md", "agent: hang\n");
    const found = await statusWhen("it is stale", ({ verdict }) => verdict !== "ok");
    expect(found.verdict).toBe("stale");
    const [silent, patient] = found.runs.toSorted((a, b) => b.task.localeCompare(a.task));
    expect(silent).toMatchObject({ task: "alpha/silent.md", stale: true, phase: "running" });
    expect(silent?.silent_ms).toBeGreaterThan(2_000);
    expect(silent?.silent_ms).toBeLessThan(4_000);
    expect(patient).toMatchObject({ task: "alpha/patient.md", stale: false });
    expect(found.reasons).toEqual([
      expect.stringMatching(new RegExp(`^alpha/silent\\.md in ${silent?.session} is silent for \\d\\.\\d s$`)),
    ]);
    await queue.settled("failed", 1);
    expect((await statusWhen("it is over", ({ runs }) => runs.length === 1)).verdict).toBe("ok");
  });

  test("is held during a usage limit, also after a restart, until a probe has passed", async () => {
    clock.ms = Math.round(Date.now() / 1_000) * 1_000;
    await start({ now: () => clock.ms });
    const resetsAtMs = clock.ms + 2 * HOUR_MS;
    const until = new Date(resetsAtMs + 60_000).toISOString();
    const lift = await limit(resetsAtMs);
    await queue.drop("task.md", "task\n");

    const held = await statusWhen("it is held", ({ verdict }) => verdict === "held");
    expect(held.hold).toEqual({ kind: "limit", since: new Date(clock.ms).toISOString(), until, message: LIMIT });
    expect(held.reasons).toEqual([`the pool is held until ${until}: ${LIMIT}`]);
    expect(held.at).toBe(new Date(clock.ms).toISOString());
    const waits = ({ queues, runs }: Status) => queues.local.waiting === 1 && runs.length === 0;
    await statusWhen("it waits", waits);

    await queue.app.stop();
    await queue.app.start();
    const again = await status();
    expect(again).toMatchObject({ verdict: "held", hold: held.hold, reasons: held.reasons });

    clock.ms += HOUR_MS;
    await lift();
    expect(await status()).toMatchObject({ verdict: "held", hold: held.hold });
    clock.ms = resetsAtMs + 60_000;
    await queue.settled("done", 1);
    expect(await statusWhen("it is over", ({ hold }) => hold === null)).toMatchObject({ verdict: "ok", reasons: [] });
  });

  test("is held while nobody can log in", async () => {
    await start();
    await queue.drop("task.md", "agent: fail authentication_failed Please run /login\n");
    const { hold } = await statusWhen("it is held", ({ verdict }) => verdict === "held");
    expect(hold).toMatchObject({ kind: "login", message: "authentication_failed: Please run /login" });
  });

  test("is the worst of several, and every reason is told", async () => {
    await start({ sessions: 3, promptTimeout: "1s" });
    await queue.drop("asks.md", "agent: dialog Do you trust this folder?\n");
    await statusWhen("it needs attention", ({ verdict }) => verdict === "attention");
    await queue.drop("silent.md", "---\ntimeout: 10s\n---\nagent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    await queue.drop("limited.md", "agent: fail rate_limit You've hit your limit\n");
    const all = ({ reasons }: Status) => reasons.length === 3;
    const { verdict, reasons } = await statusWhen("all is bad", all, 20_000);
    expect(verdict).toBe("attention");
    expect(reasons).toEqual([
      "alpha/asks.md needs attention in ccl-auto-11",
      expect.stringMatching(/^the pool is held until .*: You've hit your limit$/),
      expect.stringMatching(/^alpha\/silent\.md in ccl-auto-1\d is silent for /),
    ]);
  });
});

describe("the oldest of the waiting", () => {
  /** Drops a task that has to wait; returns the times between which it was enqueued. */
  async function dropAndWait(name: string, text: string): Promise<{ fromMs: number; toMs: number }> {
    const fromMs = Date.now();
    await queue.drop(name, text);
    await until(`${name} is routed`, () => isRouted(name));
    const toMs = Date.now();
    await until("time goes on", () => Date.now() > toMs);
    return { fromMs, toMs };
  }

  function expectOldest({ at, queues }: Status, { fromMs, toMs }: { fromMs: number; toMs: number }): void {
    const enqueuedMs = Date.parse(at) - (queues.local.oldest_ms ?? Number.NaN);
    expect(enqueuedMs).toBeGreaterThanOrEqual(fromMs);
    expect(enqueuedMs).toBeLessThanOrEqual(toMs);
  }

  test.each([
    ["low", "low, high, critical, default"],
    ["critical", "critical, low, default, high"],
  ])("is the %s one that came first, of whatever priority the others are", async (_first, order) => {
    await start({ sessions: 1 });
    await queue.drop("busy.md", "agent: hang\n");
    await until("the session is busy", async () => (await submits()).length === 1);
    const times = [];
    for (const priority of order.split(", "))
      times.push(await dropAndWait(`${priority}.md`, `---\npriority: ${priority}\n---\nwaits\n`));
    const [first] = times;
    const found = await status();
    expect(found.queues.local).toMatchObject({ waiting: 4, active: 1, delayed: 0 });
    expectOldest(found, first ?? { fromMs: 0, toMs: 0 });
  });

  test("is one that waits once more, although others stand before it", async () => {
    await start({ sessions: 1, limits: "attempts: 2, backoff: 100ms" });
    const first = await dropAndWait("first.md", "agent: work 700ms\nagent: exit 3\n");
    await queue.drop("second.md", "agent: work 700ms\n");
    await queue.drop("third.md", "agent: hang\n");
    await dropAndWait("fourth.md", "waits\n");
    const delayed = await statusWhen("the first is put off", ({ queues }) => queues.local.delayed === 1);
    expect(delayed.queues.local.waiting).toBeGreaterThan(0);
    const found = await statusWhen("the third runs", ({ runs }) => runs[0]?.task === "alpha/third.md");
    expect(found.queues.local).toMatchObject({ waiting: 2, active: 1, delayed: 0 });
    expectOldest(found, first);
  });
});

describe("a delegated task", () => {
  let delegation: Delegation;

  test("is never stale and changes no verdict, and is counted and listed", async () => {
    const clock = { ms: Date.now() };
    const platform = { delayMs: 24 * HOUR_MS, now: () => clock.ms };
    delegation = await startDelegation({ platform, now: () => clock.ms });
    cleanups.push(async () => await delegation.stop());
    queue = delegation.queue;
    await queue.drop("far.md", delegable("A long one.", "preferred_ai: gpu"));
    const [event] = await until("it is out", () => {
      const events = delegation.events("delegated");
      return events.length > 0 && events;
    });
    const out = await statusWhen("the job knows", ({ delegation: { active } }) => active === 1);
    const submittedAtMs = clock.ms;
    clock.ms += 23 * HOUR_MS;
    const found = await status();
    expect(found).toMatchObject({ verdict: "ok", reasons: [], runs: [] });
    expect(states(found)).toEqual(states(out));
    expect(found.queues.delegated).toEqual({ waiting: 0, active: 1, delayed: 0, oldest_ms: null });
    expect(found.delegation).toMatchObject({ configured: true, active: 1, submitted: 1, completed: 0, fallback: 0 });
    expect(found.delegation.ticks).toBeGreaterThan(0);
    expect(Date.parse(found.delegation.ticked_at ?? "")).toBeGreaterThanOrEqual(submittedAtMs);

    const response = await fetch(`${queue.app.url}/api/delegated/status`);
    const body: unknown = await response.json();
    const listed = delegationStatusSchema.parse(body);
    expect(listed).toEqual(body);
    expect(listed.jobs).toEqual([
      {
        ...{ id: event?.id, project: "alpha", task: "far.md", provider: "gpu" },
        ...{ reason: "preferred_ai is gpu", remote_id: event?.remote },
        ...{ submitted_at: new Date(submittedAtMs).toISOString(), age_ms: 23 * HOUR_MS },
      },
    ]);
    expect(delegation.errorCodes()).toEqual([]);
  });
});

describe("who may ask", () => {
  const TOKEN = "s3cret-token";

  /** The same queue with a server of other settings. */
  async function startWith(server: { host: string; token: string | null }): Promise<App> {
    queue = await prepareQueue();
    cleanups.push(async () => await queue.stop());
    const app = new App({
      config: { ...queue.config, server: { ...queue.config.server, ...server, port: 0 } },
      environment: childEnvironment(queue.environment),
      onError: (error) => queue.errors.push(error),
      onHold: () => {},
    });
    cleanups.push(async () => await app.stop());
    await app.start();
    return app;
  }

  const ask = async (app: App, headers: Record<string, string> = {}) =>
    (await fetch(`${app.url}/watchdog/status`, { headers })).status;

  test("by TCP, whoever shows the token; by the socket, the daemon's own user without it", async () => {
    const app = await startWith({ host: "127.0.0.1", token: TOKEN });
    expect(await ask(app)).toBe(401);
    expect(await ask(app, { authorization: `Bearer ${TOKEN}x` })).toBe(401);
    expect(await ask(app, { authorization: `Bearer ${TOKEN}` })).toBe(200);
    const found = await askDaemon(queue.config.stateDir, "GET", "/watchdog/status", statusSchema);
    expect(found.verdict).toBe("ok");
    expect(JSON.stringify(found)).not.toContain(TOKEN);
  });

  test("without a token, every program of this machine, and no page of another server", async () => {
    const app = await startWith({ host: "127.0.0.1", token: null });
    expect(await ask(app)).toBe(200);
    expect(await ask(app, { origin: "http://evil.example" })).toBe(403);
  });

  test("nobody, where the server would be open to all: the daemon does not start, and leaves nothing running", async () => {
    await expect(startWith({ host: "0.0.0.0", token: null })).rejects.toMatchObject({ code: "SERVER_OPEN" });
    const asked = askDaemon(queue.config.stateDir, "GET", "/watchdog/status", statusSchema);
    await expect(asked).rejects.toMatchObject({ code: "DAEMON_NOT_RUNNING" });
  });
});

test("an answer that a stopping daemon owes holds nothing up", async () => {
  await start();
  const asked = Array.from(
    { length: 50 },
    async () => await fetch(`${queue.app.url}/watchdog/status`).catch(() => null),
  );
  await asked[0];
  const stopped = queue.app.stop().then(() => "stopped");
  expect(await Promise.race([stopped, sleep(5_000, "still stops", { ref: false })])).toBe("stopped");
  await Promise.all(asked);
  await expect(status()).rejects.toThrow();
});
