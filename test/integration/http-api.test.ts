import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { afterEach, describe, expect, onTestFailed, test } from "vitest";
import { z } from "zod";
import { App } from "../../src/app.ts";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import type { Config } from "../../src/config/config.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { hostView } from "../../src/control/hosts.ts";
import { overview } from "../../src/control/overview.ts";
import { screenView, sessionView } from "../../src/control/session-view.ts";
import { statusSchema } from "../../src/control/status.ts";
import { commanded, taskDetail, taskLog, taskPage } from "../../src/control/task-view.ts";
import { probe } from "../../src/queue/connection.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { prepareQueue, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

const TOKEN = "s3cret-token";

let queue: QueueFixture;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a queue that is stopped with the test. */
async function start(options: Parameters<typeof startQueue>[0] = {}): Promise<void> {
  queue = await startQueue(options);
  cleanups.push(async () => await queue.stop());
}

/** The same queue with other settings. */
async function startWith(change: (config: Config) => Partial<Config>): Promise<App> {
  queue = await prepareQueue();
  cleanups.push(async () => await queue.stop());
  const app = new App({
    config: { ...queue.config, ...change(queue.config) },
    environment: childEnvironment(queue.environment),
    onError: (error) => queue.errors.push(error),
    onHold: () => {},
  });
  cleanups.push(async () => await app.stop());
  await app.start();
  return app;
}

/** An answer that holds nothing which its description does not know. */
async function ask<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${queue.app.url}${path}`);
  return await read(response, 200, schema);
}

async function tell<T>(path: string, schema: z.ZodType<T>, body?: object, status = 200): Promise<T> {
  const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${queue.app.url}${path}`, { method: "POST", ...(body === undefined ? {} : json) });
  return await read(response, status, schema);
}

async function read<T>(response: Response, status: number, schema: z.ZodType<T>): Promise<T> {
  const body: unknown = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(status);
  const found = schema.parse(body);
  expect(found).toEqual(body);
  return found;
}

async function refused(path: string, method = "GET"): Promise<string> {
  const response = await fetch(`${queue.app.url}${path}`, { method });
  const { code } = z.object({ code: z.string() }).parse(await response.json());
  return `${response.status} ${code}`;
}

const task = async (name: string) => await ask(`/api/tasks/${encodeURIComponent(name)}`, taskDetail);
const states = async () => (await ask("/api/tasks", taskPage)).tasks.map(({ name, state }) => `${name} ${state}`);
const holdAnswer = z.object({ hold: holdView.nullable() });

/** What `/api/events` tells from now on. */
async function follow(): Promise<() => string> {
  const asked = get(`${queue.app.url}/api/events`, { agent: false });
  cleanups.push(() => void asked.destroy());
  asked.on("error", () => {});
  const [response] = await once(asked, "response");
  let text = "";
  response.on("data", (chunk: Buffer) => (text += chunk.toString()));
  response.on("error", () => {});
  return () => text;
}

describe("over HTTP", () => {
  test("a task is added, watched while it runs, and read when it is over", async () => {
    await start();
    const told = await follow();
    const text = "---\ntitle: Say it\ntags: [words]\n---\nagent: work 3s\nagent: say all is well\n";
    const added = await tell("/api/tasks", commanded, { text, priority: "high" }, 201);
    expect(added).toEqual({ task: "alpha/say-it.md", path: join(queue.project, ".agent-queue/inbox/say-it.md") });

    await until("it runs", async () => (await states()).includes("say-it.md running"));
    const running = await until("its session", async () => {
      const found = await task("alpha/say-it.md");
      return found.session === null ? null : found;
    });
    expect(running).toMatchObject({ title: "Say it", priority: "high", tags: ["words"], route: "local" });
    expect(await states()).toEqual(["say-it.md running"]);
    const { sessions } = await ask("/api/sessions", z.object({ sessions: z.array(sessionView) }));
    const session = sessions.find(({ name }) => name === running.session);
    expect(session).toMatchObject({ state: "busy", run: { task: "alpha/say-it.md" } });
    await until("its screen", async () => {
      const { text: screen } = await ask(`/api/sessions/${running.session}/screen`, screenView);
      return screen.includes("working for 3s");
    });
    const seen = await ask("/api/overview", overview);
    expect(seen.sessions.find(({ name }) => name === running.session)?.run?.task).toBe("alpha/say-it.md");

    await queue.settled("done", 1);
    const over = await until("it is over", async () => {
      const found = await task(running.id.slice(0, 8));
      return found.state === "done" ? found : null;
    });
    expect(over).toMatchObject({ id: running.id, result: "all is well", finished_at: expect.any(String) });
    const log = await until("its log is over", async () => {
      const read = await ask(`/api/tasks/${running.id}/log?from=1`, taskLog);
      return read.over && read;
    });
    expect(log).toMatchObject({ id: running.id, over: true });
    expect((await ask(`/api/tasks/${running.id}/log?from=${log.next}`, taskLog)).lines).toEqual([]);
    await until("it was told", async () => told().includes('"type":"done"'));
    for (const type of ["seen", "routed", "launched", "submitted"]) expect(told()).toContain(`"type":"${type}"`);
    expect(await (await fetch(`${queue.app.url}/metrics`)).text()).toMatch(
      /^ccl_queue_runs_total\{outcome="done",route="local"\} 1$/m,
    );
    expect(queue.errors).toEqual([]);
  });

  test("a failed task is tried again, alone and with all others", async () => {
    await start();
    await queue.drop("one.md", "agent: needs go\nagent: say one\n");
    await queue.drop("two.md", "agent: needs go\nagent: say two\n");
    await queue.settled("failed", 2);
    await until("both are known", async () => (await states()).every((state) => state.endsWith(" failed")));
    expect(await refused("/api/tasks/one.md/cancel", "POST")).toBe("404 TASK_UNKNOWN");
    await writeFile(join(queue.project, "go"), "");
    const path = join(queue.project, ".agent-queue/inbox");
    expect(await tell("/api/tasks/one.md/retry", commanded)).toEqual({
      task: "alpha/one.md",
      path: join(path, "one.md"),
    });
    await queue.settled("done", 1);
    const all = z.object({ tasks: z.array(commanded) });
    expect(await tell("/api/tasks/retry", all, { project: "alpha" })).toEqual({
      tasks: [{ task: "alpha/two.md", path: join(path, "two.md") }],
    });
    await queue.settled("done", 2);
    expect(await queue.names("failed")).toEqual([]);
    expect(await tell("/api/tasks/retry", all)).toEqual({ tasks: [] });
  });

  test("the pool is held and resumed, and a task that waits meanwhile is cancelled", async () => {
    await start();
    const told = await follow();
    const { hold } = await tell("/api/hold", holdAnswer, { message: "deploy" });
    expect(hold).toMatchObject({ kind: "manual", until: null, message: "deploy" });
    await tell("/api/tasks", commanded, { text: "agent: say a\n", name: "a" }, 201);
    await tell("/api/tasks", commanded, { text: "agent: say b\n", name: "b" }, 201);
    await until("both wait", async () => (await ask("/api/status", statusSchema)).queues.local.waiting === 2);
    expect((await ask("/api/status", statusSchema)).verdict).toBe("held");
    expect(await states()).toEqual(["a.md waiting", "b.md waiting"]);
    expect(await refused("/api/tasks/a.md/retry", "POST")).toBe("409 TASK_NOT_OVER");
    const cancelled = await tell("/api/tasks/alpha%2Fa.md/cancel", commanded);
    expect(cancelled).toEqual({ task: "alpha/a.md", path: join(queue.project, ".agent-queue/failed/a.md") });
    expect(await tell("/api/resume", holdAnswer)).toEqual({ hold: null });
    await queue.settled("done", 1);
    expect(await queue.names("done")).toEqual(["b.md"]);
    await until("the hold's end", async () => told().includes('event: hold\ndata: {"hold":null}'));
    expect(told()).toContain('"message":"deploy"');
    expect(await (await fetch(`${queue.app.url}/metrics`)).text()).toMatch(
      /^ccl_queue_holds_total\{kind="manual"\} 1$/m,
    );
  });

  test("what there is not, or what is not meant for us, is told so", async () => {
    await start();
    await tell("/api/tasks", z.unknown(), { text: "x", project: "nowhere" }, 404);
    await tell("/api/tasks", z.unknown(), { text: "---\npriority: [\n---\nx" }, 422);
    await tell("/api/tasks", z.unknown(), { text: "x", name: "../../../x" }, 422);
    await tell("/api/tasks", z.unknown(), { text: "x".repeat(1_048_577) }, 422);
    expect(await queue.names("inbox")).toEqual([]);
    for (const name of ["x.md", "..%2f..%2fccl-queue.yaml", "%2fetc%2fpasswd", "kkkkkkkkk"]) {
      expect(await refused(`/api/tasks/${name}`)).toBe("404 TASK_UNKNOWN");
      expect(await refused(`/api/tasks/${name}/log`)).toBe("404 TASK_UNKNOWN");
      expect(await refused(`/api/tasks/${name}/retry`, "POST")).toBe("404 TASK_UNKNOWN");
      expect(await refused(`/api/tasks/${name}/cancel`, "POST")).toBe("404 TASK_UNKNOWN");
    }
    await queue.tmux("new-session", "-d", "-s", "private");
    for (const name of ["private", "=private", "ccl-auto-11:0", "ccl-auto-1", "*", "%2e%2e", "%00", "ccl-auto-999"])
      expect(await refused(`/api/sessions/${name}/screen`)).toMatch(/^404 (?:SESSION_UNKNOWN|NOT_FOUND)$/);
    expect(await ask("/readyz", z.object({ status: z.literal("ready") }))).toEqual({ status: "ready" });
    const { hosts } = await ask("/api/hosts", z.object({ hosts: z.array(hostView) }));
    expect(hosts).toHaveLength(1);
    expect(queue.errors).toEqual([]);
  });
});

test("a daemon that has lost its Redis says so, and its metrics what is known", async () => {
  await start({ embeddedRedis: true });
  const pid = z.number().parse(await probe(redisOf(queue.config)));
  process.kill(pid, "SIGSTOP");
  const wake = () => void process.kill(pid, "SIGCONT");
  onTestFailed(wake);
  await until("it is not ready", async () => {
    const response = await fetch(`${queue.app.url}/readyz`);
    return response.status === 503 && (await response.text()).includes("REDIS_UNREACHABLE");
  });
  expect((await fetch(`${queue.app.url}/healthz`)).status).toBe(200);
  const text = await (await fetch(`${queue.app.url}/metrics`)).text();
  expect(text).toMatch(/^ccl_queue_known\{part="status"\} 0$/m);
  expect(text).toMatch(/^ccl_queue_sessions\{state="idle"\} 2$/m);
  expect(text).not.toContain("ccl_queue_jobs{");
  wake();
  await until("it is ready again", async () => (await fetch(`${queue.app.url}/readyz`)).status === 200);
});

describe("in read-only mode", () => {
  test("nothing changes over HTTP, and the daemon's user still changes what he likes", async () => {
    const app = await startWith(({ server }) => ({ server: { ...server, readOnly: true } }));
    for (const path of ["/api/hold", "/api/tasks", "/api/tasks/x.md/cancel", "/hold", "/tasks"]) {
      const response = await fetch(`${app.url}${path}`, { method: "POST" });
      expect(response.status).toBe(403);
      expect(await response.text()).toContain("READ_ONLY");
    }
    expect((await fetch(`${app.url}/api/status`)).status).toBe(200);
    const { hold } = await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer);
    expect(hold?.kind).toBe("manual");
  });
});

describe("no secret", () => {
  const SECRETS = { token: TOKEN, key: "pk_live_51secutools", password: "redis-pa55word", webhook: "whsec_11" };

  test("stands in any answer, also when things go wrong", async () => {
    const dir = await mkdtemp(join(tmpdir(), "ccl-secrets-"));
    const redis = new EmbeddedRedis(dir, childEnvironment());
    cleanups.push(
      async () => await rm(dir, { recursive: true }),
      async () => await redis.stop(),
    );
    await redis.start();
    const admin = new Redis(redis.address.socket);
    await admin.config("SET", "requirepass", SECRETS.password);
    admin.disconnect();
    const app = await startWith(({ server, secutools, notify }) => ({
      server: { ...server, token: SECRETS.token },
      redisUrl: `redis://:${SECRETS.password}@localhost/0?path=${redis.address.socket}`,
      secutools: { ...secutools, url: "http://127.0.0.1:9/platform", apiKey: SECRETS.key },
      notify: { ...notify, webhook: "http://127.0.0.1:9/hook", webhookSecret: SECRETS.webhook },
    }));
    const login = await fetch(`${app.url}/login`, {
      method: "POST",
      body: new URLSearchParams({ token: SECRETS.token }),
      redirect: "manual",
    });
    const [cookie = ""] = login.headers.getSetCookie().map((value) => value.split(";")[0] ?? "");
    const answers = await everyAnswer(app, [{}, { authorization: `Bearer ${TOKEN}` }, { cookie }]);
    expect(answers.length).toBeGreaterThan(50);
    await redis.stop();
    answers.push(...(await everyAnswer(app, [{}, { cookie }], ["GET"])));
    const next = new EmbeddedRedis(dir, childEnvironment());
    cleanups.splice(1, 0, async () => await next.stop());
    await next.start();
    await allConnected();
    const told = queue.errors.map((error) => inspect(error));
    for (const text of [...answers, ...told])
      for (const secret of Object.values(SECRETS)) expect(text).not.toContain(secret);
  });
});

/** A connection that is lost is tried again at least this often. */
const RECONNECT_MS = 1_000;

/** A daemon that is stopped while it connects again would go on with that in the next test. */
async function allConnected(): Promise<void> {
  let told = queue.errors.length;
  let quietSinceMs = performance.now();
  await until("all have their Redis again", () => {
    if (queue.errors.length > told) quietSinceMs = performance.now();
    told = queue.errors.length;
    return performance.now() - quietSinceMs > 3 * RECONNECT_MS;
  });
}

/** The answers of every route to every client, with their headers. */
async function everyAnswer(
  app: App,
  clients: Record<string, string>[],
  methods: readonly string[] = ["GET", "POST"],
): Promise<string[]> {
  const paths = [
    "/",
    "/login",
    "/nowhere",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/tasks",
    "/tasks/x.md",
  ];
  const questions = [
    "status",
    "overview",
    "tasks",
    "tasks/x.md",
    "sessions",
    "hosts",
    "delegated/status",
    "tasks?limit=x",
  ];
  const commands = ["hold", "resume", "tasks", "tasks/retry", "tasks/x.md/cancel", "tasks/x.md/retry"];
  const gets = [...paths, ...questions.map((path) => `/api/${path}`), "/watchdog/status"];
  const posts = [...commands.map((path) => `/api/${path}`), "/login", "/logout", "/tasks", "/nowhere"];
  const asked = clients.flatMap((headers) => [
    ...gets.map((path) => ({ path, method: "GET", headers })),
    ...posts.map((path) => ({ path, method: "POST", headers: { ...headers, origin: app.url ?? "" } })),
  ]);
  return await Promise.all(
    asked
      .filter(({ method }) => methods.includes(method))
      .map(async ({ path, ...question }) => {
        const response = await fetch(`${app.url}${path}`, { ...question, redirect: "manual" });
        return `${JSON.stringify([...response.headers])}${await response.text()}`;
      }),
  );
}
