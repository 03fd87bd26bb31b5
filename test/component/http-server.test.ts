import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { Agent, type OutgoingHttpHeaders, request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { getRequestListener } from "@hono/node-server";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { cancelTask } from "../../src/control/cancel.ts";
import { findTask } from "../../src/control/find-task.ts";
import { taskLabel } from "../../src/core/task.ts";
import { daemonSocket, Host } from "../../src/host.ts";
import { TaskQueues } from "../../src/queue/task-queues.ts";
import { type ApiOptions, createApi } from "../../src/server/api.ts";
import { guard } from "../../src/server/guard.ts";
import { HttpServer } from "../../src/server/http-server.ts";
import { controlsThat, quietParts } from "../helpers/api-controls.ts";

const TOKEN = "s3cret-token";
const SECRET = "redis://user:password@10.0.0.7";

const problem = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  hint: z.string().optional(),
});

let dir: string;
let errors: unknown[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ccl-http-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  errors = [];
});

/** Commands on real files; whatever needs Redis meets a connection that is closed. */
function controls(): ApiOptions["controls"] {
  const projects = { projectsDir: join(dir, "projects"), listed: [] };
  const address = { socket: join(dir, "nobody.sock") };
  const queues = new TaskQueues({ address, workspace: "w", retentionMs: 1, onError: () => {} });
  const closed = queues.stop();
  return controlsThat({
    status: async () => await Promise.reject(new Error(`no route to ${SECRET}`)),
    delegationStatus: async () => await new Promise(() => {}),
    cancel: async (text) => {
      await closed;
      const { task } = await findTask(text, projects, queues);
      return { task: taskLabel(task), path: await cancelTask(task, null) };
    },
  });
}

function newServer(options: { host?: string; port?: number; token?: string | null } = {}): HttpServer {
  const { host = "127.0.0.1", port = 0, token = null } = options;
  const api = createApi({
    ...quietParts(),
    controls: controls(),
    guard: guard({ host, token }),
    onError: (error) => errors.push(error),
  });
  const listener = getRequestListener(api.fetch, { overrideGlobalObjects: false });
  const server = new HttpServer({ host, port, token, listener });
  onTestFinished(async () => await server.stop());
  return server;
}

async function started(options: Parameters<typeof newServer>[0] = {}): Promise<HttpServer> {
  const server = newServer(options);
  await server.start();
  return server;
}

interface Question {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly agent?: Agent;
}

/** A request by the address that the server has, with exactly these headers where a host is among them. */
async function ask(server: HttpServer, path: string, { method = "GET", headers = {}, agent }: Question = {}) {
  const { hostname, port } = new URL(server.url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const asked = request({ host, port, path, method, headers, ...(agent === undefined ? {} : { agent }) });
  asked.end();
  const [response] = await once(asked, "response");
  const body = await readText(response);
  const { statusCode, headers: received } = z
    .object({ statusCode: z.number(), headers: z.record(z.string(), z.unknown()) })
    .parse({ statusCode: response.statusCode, headers: response.headers });
  return { status: statusCode, type: String(received["content-type"]), headers: received, body };
}

/** The code of a refusal, which has to be as RFC 9457 wants it. */
async function refusal(server: HttpServer, path: string, question: Question = {}): Promise<string> {
  const { status, type, body } = await ask(server, path, question);
  expect(type).toBe("application/problem+json");
  const read = problem.parse(JSON.parse(body));
  expect(read).toMatchObject({ status, title: read.code });
  return `${status} ${read.code}`;
}

/** What comes back for these bytes until the server closes, or has answered. */
async function raw(server: HttpServer, bytes: string | Buffer): Promise<string> {
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.end(bytes);
  await closed;
  return answer;
}

const isAlive = async (server: HttpServer) => (await ask(server, "/healthz")).status === 200;

describe("the start", () => {
  test.each(["0.0.0.0", "::", "192.168.1.20", "10.0.0.1", "queue.example.org", "localhost.example.org"])(
    "on %s without a token is refused, and nobody listens",
    async (host) => {
      const server = newServer({ host });
      await expect(server.start()).rejects.toMatchObject({
        code: "SERVER_OPEN",
        message: expect.stringContaining(host),
        hint: expect.stringContaining("CCL_QUEUE_TOKEN"),
      });
      await server.stop();
      expect(server.url).toContain(":0");
    },
  );

  test.each(["127.0.0.1", "127.0.0.5", "::1", "localhost"])("on %s needs no token", async (host) => {
    const server = await started({ host });
    expect(new URL(server.url).hostname).toBe(host.includes(":") ? `[${host}]` : host);
    expect(await ask(server, "/healthz")).toMatchObject({ status: 200, body: '{"status":"ok","name":"ccl-queue"}' });
    expect(await refusal(server, "/nothing")).toBe("404 NOT_FOUND");
  });

  test("on all addresses with a token is allowed", async () => {
    const server = await started({ host: "0.0.0.0", token: TOKEN });
    const { port } = new URL(server.url);
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(response.status).toBe(200);
  });

  test("on a port that somebody has names the address, and works once it is free", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = z.object({ port: z.number() }).parse(other.address());
    const server = newServer(address);
    await expect(server.start()).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: `the server cannot listen on 127.0.0.1:${address.port}: somebody else uses it`,
    });
    await new Promise((resolve) => other.close(resolve));
    await server.start();
    expect(await isAlive(server)).toBe(true);
  });

  test.each([
    ["an address of another machine", "192.0.2.1"],
    ["a name that nobody has", "no-such-host.invalid"],
  ])("on %s fails and names it", async (_what, host) => {
    await expect(newServer({ host, port: 8420, token: TOKEN }).start()).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining(`${host}:8420`),
    });
  });

  test("twice is once", async () => {
    const server = await started();
    const { url } = server;
    await server.start();
    expect(server.url).toBe(url);
  });
});

describe("a request", () => {
  test.each(["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "0.0.0.0"])(
    "for the host %s is refused, but for its health",
    async (host) => {
      const server = await started();
      for (const path of ["/watchdog/status", "/api/delegated/status", "/nothing"])
        expect(await refusal(server, path, { headers: { host } })).toBe("403 HOST_REFUSED");
      expect(await refusal(server, "/api/tasks/x.md/cancel", { method: "POST", headers: { host } })).toBe(
        "403 HOST_REFUSED",
      );
      expect((await ask(server, "/healthz", { headers: { host } })).status).toBe(200);
    },
  );

  test.each(["evil@127.0.0.1", "127.0.0.1/evil", "not a host", "[::1", "%%%", "127.0.0.1\\evil"])(
    "for the host %j reaches nothing",
    async (host) => {
      const server = await started();
      const { status } = await ask(server, "/watchdog/status", { headers: { host } });
      expect([400, 403]).toContain(status);
      expect(errors).toEqual([]);
    },
  );

  test.each([
    ["HTTP 1.0 without a host", "HTTP/1.0\r\n"],
    ["HTTP 1.1 without a host", "HTTP/1.1\r\nConnection: close\r\n"],
    ["HTTP 1.1 with an empty host", "HTTP/1.1\r\nConnection: close\r\nHost:\r\n"],
  ])("of %s reaches nothing", async (_what, rest) => {
    const server = await started();
    expect(await raw(server, `GET /watchdog/status ${rest}\r\n`)).toMatch(/^HTTP\/1\.1 (400|403) /);
    expect(errors).toEqual([]);
  });

  test("with two hosts reaches nothing", async () => {
    const server = await started();
    const answer = await raw(
      server,
      "GET /watchdog/status HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (400|403) /);
    expect(errors).toEqual([]);
  });

  test("by the IPv6 address reaches the API", async () => {
    const server = await started({ host: "::1" });
    const { port } = new URL(server.url);
    expect(await refusal(server, "/nothing", { headers: { host: `[::1]:${port}` } })).toBe("404 NOT_FOUND");
    expect(await refusal(server, "/nothing", { headers: { host: "[::1]:8420" } })).toBe("404 NOT_FOUND");
    expect(await refusal(server, "/nothing", { headers: { host: "[::2]:8420" } })).toBe("403 HOST_REFUSED");
  });

  test.each(["http://evil.example", "null"])("of a page of %s is refused, but for its health", async (origin) => {
    const server = await started();
    for (const method of ["GET", "POST", "OPTIONS"])
      expect(await refusal(server, "/api/tasks/x.md/cancel", { method, headers: { origin } })).toBe(
        "403 ORIGIN_REFUSED",
      );
    expect((await ask(server, "/healthz", { headers: { origin } })).status).toBe(200);
  });

  test("of a page of the server itself is answered", async () => {
    const server = await started();
    expect(await refusal(server, "/nothing", { headers: { origin: server.url } })).toBe("404 NOT_FOUND");
  });

  test("with a token is answered under any name, one without it never", async () => {
    const server = await started({ token: TOKEN });
    const right = { authorization: `Bearer ${TOKEN}` };
    expect(await refusal(server, "/nothing", { headers: right })).toBe("404 NOT_FOUND");
    expect(await refusal(server, "/nothing", { headers: { ...right, host: "192.168.1.20:8420" } })).toBe(
      "404 NOT_FOUND",
    );
    for (const authorization of ["", "Bearer ", `Bearer ${TOKEN.slice(0, 5)}`, `Bearer ${TOKEN}x`, TOKEN])
      expect(await refusal(server, "/nothing", { headers: { authorization } })).toBe("401 TOKEN_REFUSED");
    for (const path of ["/watchdog/status", "/api/delegated/status", "/"])
      expect(await refusal(server, path)).toBe("401 TOKEN_REFUSED");
    expect(await isAlive(server)).toBe(true);
    expect(errors).toEqual([]);
  });

  test.each([
    ["GET", "/"],
    ["GET", "/healthz/more"],
    ["POST", "/api/tasks//cancel"],
    ["POST", "/api/tasks/%2e%2e/cancel"],
    ["POST", "/api/tasks/../../watchdog/cancel"],
    ["GET", "/%ff%fe"],
    ["GET", "//evil.example/"],
    ["GET", "/<script>alert(1)</script>"],
  ])("%s %s, which there is not, is told so", async (method, path) => {
    expect(await refusal(await started(), path, { method })).toBe("404 NOT_FOUND");
  });

  test.each([
    ["GET", "/api/tasks/x.md/cancel", "POST"],
    ["POST", "/watchdog/status", "GET, HEAD"],
    ["DELETE", "/api/tasks/x.md", "GET, HEAD"],
    ["OPTIONS", "/watchdog/status", "GET, HEAD"],
    ["PUT", "/api/tasks", "GET, HEAD, POST"],
    ["PROPFIND", "/api/status", "GET, HEAD"],
  ])("%s %s, which has other methods, is told those", async (method, path, allow) => {
    const server = await started();
    const { status, body, headers } = await ask(server, path, { method });
    expect({ status, allow: headers["allow"] }).toEqual({ status: 405, allow });
    expect(problem.parse(JSON.parse(body))).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
  });

  test("that meets an error nobody foresaw says nothing of it, and the log is told", async () => {
    const server = await started();
    const { status, type, body } = await ask(server, "/watchdog/status");
    expect({ status, type }).toEqual({ status: 500, type: "application/problem+json" });
    expect(problem.parse(JSON.parse(body))).toEqual({
      ...{ type: "about:blank", title: "INTERNAL_ERROR", status: 500, code: "INTERNAL_ERROR" },
      detail: "something went wrong; the log says what",
    });
    expect(errors).toEqual([new Error(`no route to ${SECRET}`)]);
  });
});

describe("a command", () => {
  const drop = (project: string, name: string) => {
    const inbox = join(dir, "projects", project, ".agent-queue", "inbox");
    mkdirSync(inbox, { recursive: true });
    writeFileSync(join(inbox, name), "Do it.\n");
    return join(inbox, name);
  };
  const cancel = (name: string) => `/api/tasks/${encodeURIComponent(name)}/cancel`;

  test.each(["x.md", "a b.md", "ü 東京.md", "50% & more?.md", "a%2Fb.md", "a%20b.md", "#1.md", "+.md", "new\nline.md"])(
    "for the task %j reaches exactly that one",
    async (name) => {
      const path = drop("site", name);
      drop("site", "other.md");
      const { status, type, body } = await ask(await started(), cancel(name), { method: "POST" });
      expect({ status, type, body: JSON.parse(body) }).toEqual({
        status: 200,
        type: "application/json",
        body: { task: `site/${name}`, path: join(dir, "projects", "site", ".agent-queue", "failed", name) },
      });
      expect(existsSync(path)).toBe(false);
      expect(readdirSync(join(dir, "projects", "site", ".agent-queue", "inbox"))).toEqual(["other.md"]);
    },
  );

  test("for a task that is not there is 404, for one of several 409, each with what to do", async () => {
    drop("site", "x.md");
    drop("shop", "x.md");
    const server = await started();
    expect(await refusal(server, cancel("y.md"), { method: "POST" })).toBe("404 TASK_UNKNOWN");
    const { status, body } = await ask(server, cancel("x.md"), { method: "POST" });
    expect(status).toBe(409);
    expect(problem.parse(JSON.parse(body))).toMatchObject({
      code: "TASK_AMBIGUOUS",
      detail: expect.stringMatching(/site\/x\.md/),
      hint: expect.stringContaining("site/fix.md"),
    });
    expect(errors).toEqual([]);
  });

  test("that fails inside is 500 without details", async () => {
    const server = await started();
    expect(await refusal(server, cancel("kabcdefghi"), { method: "POST" })).toBe("500 INTERNAL_ERROR");
    expect(errors).toHaveLength(1);
  });
});

describe("what is no decent request", () => {
  const long = "x".repeat(100_000);

  test.each<[string, string | Buffer]>([
    ["nonsense", "NONSENSE\r\n\r\n"],
    ["bytes", Buffer.from(Array.from({ length: 4_096 }, (_, index) => (index * 31) % 256))],
    ["TLS", Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a path of 100 KB", `GET /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ["a header of 100 KB", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${long}\r\n\r\n`],
    ["a length below zero", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"],
    ["two lengths", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a chunk without a size", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["half a request", "GET /watchdog/status HTTP/1.1\r\nHost: loc"],
    ["no path", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    ["a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n"],
    ["an upgrade", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
  ])("%s does no harm", async (_what, bytes) => {
    const server = await started();
    expect(await raw(server, bytes)).not.toMatch(/^HTTP\/1\.1 (200|500)/);
    expect(await isAlive(server)).toBe(true);
    expect(errors).toEqual([]);
  });

  test("a body without end is not waited for", async () => {
    const server = await started();
    const asked = request(`${server.url}/api/tasks/x.md/cancel`, { method: "POST" });
    onTestFinished(() => void asked.destroy());
    asked.on("error", () => {});
    asked.write(Buffer.alloc(16 * 1_048_576));
    const [response] = await once(asked, "response");
    expect(response.statusCode).toBe(413);
    expect(await isAlive(server)).toBe(true);
    expect(errors).toEqual([]);
  });

  test("five hundred at once are all answered", async () => {
    const server = await started();
    const answers = await Promise.all(Array.from({ length: 500 }, async () => await refusal(server, "/nothing")));
    expect(new Set(answers)).toEqual(new Set(["404 NOT_FOUND"]));
  });
});

describe("the stop", () => {
  const WHILE_MS = 1_000;

  /** How long it takes. */
  async function stopMs(server: HttpServer): Promise<number> {
    const startedMs = performance.now();
    await server.stop();
    return performance.now() - startedMs;
  }

  test("ends connections that are kept alive, at once", async () => {
    const server = await started();
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    await ask(server, "/healthz", { agent });
    const [socket] = Object.values(agent.freeSockets).flat();
    expect(socket?.destroyed).toBe(false);
    expect(await stopMs(server)).toBeLessThan(WHILE_MS);
    await expect(ask(server, "/healthz")).rejects.toThrow();
  });

  test("ends requests that nobody has answered yet, and those that are still being sent", async () => {
    const server = await started();
    const { port } = new URL(server.url);
    const waits = ask(server, "/api/delegated/status");
    const ended = expect(waits).rejects.toThrow(/socket hang up|ECONNRESET/);
    const half = connect(Number(port), "127.0.0.1");
    const cut = new Promise((resolve) => half.once("close", resolve));
    half.on("error", () => {});
    half.write("GET / HTTP/1.1\r\nHost: loc");
    await isAlive(server);
    expect(await stopMs(server)).toBeLessThan(WHILE_MS);
    await Promise.all([ended, cut]);
  });

  test("frees the port, for the next start too", async () => {
    const server = await started();
    const port = Number(new URL(server.url).port);
    await server.stop();
    await server.stop();
    const next = await started({ port });
    expect(await isAlive(next)).toBe(true);
  });

  test("of what never started does nothing", async () => {
    expect(await stopMs(newServer())).toBeLessThan(WHILE_MS);
  });
});

describe("the daemon's socket", () => {
  const stateDir = () => join(dir, "state");
  const anything = z.object({ task: z.string() });

  async function startedHost(): Promise<Host> {
    const host = new Host(stateDir());
    onTestFinished(async () => await host.stop());
    await host.start();
    return host;
  }

  const answer = async () => await askDaemon(stateDir(), "GET", "/", anything);

  /** A socket that nobody listens on any more, as a killed daemon leaves it. */
  async function leaveBehind(): Promise<void> {
    mkdirSync(stateDir(), { recursive: true });
    const server = createServer().listen(join(dir, "dead.sock"));
    await once(server, "listening");
    linkSync(join(dir, "dead.sock"), daemonSocket(stateDir()));
    await new Promise((resolve) => server.close(resolve));
  }

  test("of a daemon that is not there tells what to do", async () => {
    const refused = { code: "DAEMON_NOT_RUNNING", hint: expect.stringContaining("ccl-queue start") };
    await expect(answer()).rejects.toMatchObject(refused);
    await leaveBehind();
    await expect(answer()).rejects.toMatchObject(refused);
    const host = await startedHost();
    await host.stop();
    await expect(answer()).rejects.toMatchObject(refused);
  });

  test("of one that starts says so, until it serves", async () => {
    const host = await startedHost();
    await expect(answer()).rejects.toMatchObject({ code: "DAEMON_STARTING" });
    host.serve((_request, response) => response.end('{"task":"served"}'));
    expect(await answer()).toEqual({ task: "served" });
  });

  test("an answer that is none of ours is not taken for one", async () => {
    const host = await startedHost();
    for (const [status, body] of [
      [200, "{}"],
      [200, "<html>"],
      [502, "<html>"],
      [500, "{}"],
    ] as const) {
      host.serve((_request, response) => response.writeHead(status).end(body));
      await expect(answer()).rejects.toThrow();
    }
    host.serve((_request, response) => response.destroy());
    await expect(answer()).rejects.toThrow();
  });

  test("lies in a directory that only its user may enter", async () => {
    await startedHost();
    expect(statSync(stateDir()).mode & 0o777).toBe(0o700);
  });

  test("is the user's alone also where the directory was there before and is open to all", async () => {
    mkdirSync(stateDir());
    chmodSync(stateDir(), 0o777);
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    await startedHost();
    expect(statSync(daemonSocket(stateDir())).mode & 0o077).toBe(0);
  });

  test("of a daemon that runs keeps a second one out, which changes nothing", async () => {
    const first = await startedHost();
    first.serve((_request, response) => response.end('{"task":"first"}'));
    const second = new Host(stateDir());
    await expect(second.start()).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
    await second.stop();
    expect(await answer()).toEqual({ task: "first" });
  });

  test("of a killed daemon is taken over, under the same name in the queue", async () => {
    const first = await startedHost();
    const { id } = first;
    await first.stop();
    await leaveBehind();
    const next = await startedHost();
    next.serve((_request, response) => response.end('{"task":"next"}'));
    expect(await answer()).toEqual({ task: "next" });
    expect(next.id).toBe(id);
  });

  test("of a killed daemon is taken over by one only, when two start at once", async () => {
    for (let round = 0; round < 100; round += 1) {
      await leaveBehind();
      const hosts = [new Host(stateDir()), new Host(stateDir())];
      const starts = await Promise.allSettled(
        hosts.map(async (host, index) => {
          // Each time they meet at another step.
          for (let turn = 0; turn < (round % 25) * index; turn += 1)
            await new Promise((resolve) => setImmediate(resolve));
          await host.start();
        }),
      );
      const winners = hosts.filter((_, index) => starts[index]?.status === "fulfilled");
      expect(winners).toHaveLength(1);
      winners[0]?.serve((_request, response) => response.end('{"task":"winner"}'));
      expect(await answer()).toEqual({ task: "winner" });
      for (const host of hosts) await host.stop();
    }
  }, 20_000);
});
