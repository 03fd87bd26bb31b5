import { once } from "node:events";
import { connect } from "node:net";
import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TaskDraft } from "../../src/control/task-view.ts";
import { EventStreams } from "../../src/server/event-streams.ts";
import { controlsThat } from "../helpers/api-controls.ts";
import { type ServedApi, serveApi } from "../helpers/served-api.ts";
import { until } from "../helpers/until.ts";

const TOKEN = "s3cret-token";
const JSON_TYPE = { "content-type": "application/json" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const KIB = 1_024;

/** An API that takes commands, and what it was told. */
async function served(options: Parameters<typeof serveApi>[0] = {}): Promise<ServedApi & { readonly told: unknown[] }> {
  const told: unknown[] = [];
  const done = { task: "site/x.md", path: "/p/site/.agent-queue/inbox/x.md" };
  const page = new Hono();
  page.get("/", (context) => context.html("<p>page</p>"));
  page.post("/tasks", async (context) => {
    told.push(await context.req.parseBody());
    return context.redirect("/", 303);
  });
  page.get("/looser", (context) => context.html("<p>page</p>", 200, { "content-security-policy": "default-src *" }));
  page.get("/asset", (context) => context.text("x", 200, { "cache-control": "max-age=3600" }));
  const controls = controlsThat({
    add: async (draft: TaskDraft) => {
      told.push(draft.text.length);
      return done;
    },
    cancel: async (text) => {
      told.push(text);
      return done;
    },
    hold: async (message) => {
      told.push(message);
      return null;
    },
    sessions: async () => [],
  });
  return { ...(await serveApi({ controls, pages: { "/": page }, ...options })), told };
}

const draft = (bytes: number) => JSON.stringify({ text: "x".repeat(bytes - '{"text":""}'.length) });
const CHUNKED = { ...JSON_TYPE, "transfer-encoding": "chunked" };

describe("a body", () => {
  const TASK = 1.5 * KIB * KIB;

  test.each([
    ["with a length", JSON_TYPE],
    ["in chunks", CHUNKED],
  ])("%s may be as long as a task, and no longer", async (_how, headers) => {
    const api = await served();
    const add = async (bytes: number) => await api.says("/api/tasks", { method: "POST", headers, body: draft(bytes) });
    expect(await add(TASK)).toBe("201");
    expect(await add(TASK + 1)).toBe("413 BODY_TOO_LARGE");
    expect(await add(10 * TASK)).toBe("413 BODY_TOO_LARGE");
    expect(api.told).toEqual([TASK - '{"text":""}'.length]);
    expect(api.errors).toEqual([]);
  });

  test.each([
    ["with a length", JSON_TYPE],
    ["in chunks", CHUNKED],
  ])("%s is short for every other command", async (_how, headers) => {
    const api = await served();
    const hold = (bytes: number) => {
      const text = '{"message":"for a while"}';
      return { method: "POST", headers, body: text + " ".repeat(bytes - text.length) };
    };
    expect(await api.says("/api/hold", hold(16 * KIB))).toBe("200");
    for (const path of ["/api/hold", "/api/tasks/x.md/cancel", "/login", "/nowhere"])
      expect(await api.says(path, hold(16 * KIB + 1))).toBe("413 BODY_TOO_LARGE");
    expect(api.told).toEqual(["for a while"]);
  });

  test("of a page's form may be as long as a task, too", async () => {
    const api = await served();
    const post = async (bytes: number) =>
      await api.says("/tasks", { method: "POST", headers: FORM, body: `text=${"x".repeat(bytes - 5)}` });
    expect(await post(TASK)).toBe("303");
    expect(await post(TASK + 1)).toBe("413 BODY_TOO_LARGE");
    expect(api.told).toEqual([{ text: "x".repeat(TASK - 5) }]);
  });

  test("that says it is long is refused before it comes", async () => {
    const api = await served();
    const head = "POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    const answer = await api.raw(`${head}Content-Length: 99999999999\r\nConnection: close\r\n\r\n{`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain("BODY_TOO_LARGE");
  });

  test("that breaks off is nobody's fault", async () => {
    const api = await served();
    for (const how of ["Content-Length: 20", "Transfer-Encoding: chunked"]) {
      const socket = connect(Number(new URL(api.server.url).port), "127.0.0.1");
      socket.on("error", () => {});
      socket.write(
        `POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${how}\r\n\r\n5\r\n`,
      );
      await once(socket, "connect");
      socket.destroy();
    }
    expect((await api.ask("/healthz")).status).toBe(200);
    expect(api.errors).toEqual([]);
    expect(api.told).toEqual([]);
  });
});

describe("a command", () => {
  const forms = [
    ["a form", FORM, "text=x"],
    ["an empty form", FORM, ""],
    ["a form with files", { "content-type": "multipart/form-data; boundary=x" }, "--x--"],
    ["plain text", { "content-type": "text/plain" }, '{"text":"x"}'],
    ["text that is almost JSON", { "content-type": "text/plain; application/json" }, '{"text":"x"}'],
    ["a type that begins like JSON", { "content-type": "application/jsonp" }, '{"text":"x"}'],
    ["no type at all", {}, '{"text":"x"}'],
  ] as const;

  test.each(forms)("that comes as %s is refused", async (_what, headers, body) => {
    const api = await served();
    for (const path of ["/api/tasks", "/api/hold", "/api/tasks/retry", "/api/tasks/x.md/cancel"])
      expect(await api.says(path, { method: "POST", headers, body })).toBe("415 MEDIA_TYPE_REFUSED");
    expect(api.told).toEqual([]);
  });

  test.each(["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])(
    "that comes as %s is taken",
    async (type) => {
      const api = await served();
      const headers = { "content-type": type };
      expect(await api.says("/api/tasks", { method: "POST", headers, body: '{"text":"x"}' })).toBe("201");
    },
  );

  test("that needs no words needs no type either", async () => {
    const api = await served();
    expect(await api.says("/api/tasks/x.md/cancel", { method: "POST" })).toBe("200");
    expect(await api.says("/api/hold", { method: "POST" })).toBe("200");
    expect(await api.says("/api/tasks", { method: "POST" })).toBe("400 REQUEST_INVALID");
    expect(api.told).toEqual(["x.md", null]);
  });

  test("of a page of another server is refused, with and without a token to show", async () => {
    const foreign = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://localhost:3000" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    ];
    const api = await served();
    const closed = await served({ token: TOKEN });
    for (const headers of foreign) {
      const question = { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: '{"text":"x"}' };
      const authorized = { ...question, headers: { ...question.headers, authorization: `Bearer ${TOKEN}` } };
      const form = { method: "POST", headers: { ...FORM, ...headers }, body: "text=x" };
      expect(await api.says("/api/tasks", question)).toBe("403 ORIGIN_REFUSED");
      expect(await api.says("/tasks", form)).toBe("403 ORIGIN_REFUSED");
      expect(await closed.says("/api/tasks", authorized)).toBe("403 ORIGIN_REFUSED");
    }
    expect([...api.told, ...closed.told]).toEqual([]);
  });

  test("of a page of this server, or of no browser, is taken", async () => {
    const api = await served();
    for (const headers of [{}, { origin: api.server.url }, { "sec-fetch-site": "same-origin" }])
      expect(await api.says("/tasks", { method: "POST", headers: { ...FORM, ...headers }, body: "text=x" })).toBe(
        "303",
      );
  });
});

describe("a page of another server", () => {
  const site = (value: string, mode: string, dest: string) => ({
    "sec-fetch-site": value,
    "sec-fetch-mode": mode,
    "sec-fetch-dest": dest,
  });

  test("may link to a page of this one, and no more", async () => {
    const api = await served();
    for (const value of ["cross-site", "same-site"]) {
      expect(await api.says("/", { headers: site(value, "navigate", "document") })).toBe("200");
      for (const [mode, dest] of [
        ["navigate", "iframe"],
        ["navigate", "embed"],
        ["no-cors", "image"],
        ["no-cors", "script"],
        ["cors", "empty"],
      ] as const)
        expect(await api.says("/", { headers: site(value, mode, dest) })).toBe("403 ORIGIN_REFUSED");
    }
    expect(await api.says("/", { headers: site("same-origin", "cors", "empty") })).toBe("200");
    expect(await api.says("/", { headers: site("none", "navigate", "document") })).toBe("200");
  });
});

describe("read-only mode", () => {
  test("refuses whatever changes something, by any method and path", async () => {
    const api = await served({ readOnly: true });
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
      for (const path of ["/api/tasks", "/api/tasks/x.md/cancel", "/api/hold", "/tasks", "/queues/api/x", "/"])
        expect(await api.says(path, { method })).toBe("403 READ_ONLY");
    expect(api.told).toEqual([]);
  });

  test("answers questions as ever", async () => {
    const api = await served({ readOnly: true });
    for (const path of ["/", "/api/sessions", "/healthz", "/openapi.json"]) expect(await api.says(path)).toBe("200");
  });

  test("asks for the token first", async () => {
    const api = await served({ readOnly: true, token: TOKEN });
    expect(await api.says("/api/hold", { method: "POST" })).toBe("401 TOKEN_REFUSED");
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect(await api.says("/api/hold", { method: "POST", headers })).toBe("403 READ_ONLY");
  });
});

describe("the headers of an answer", () => {
  const SAFE = {
    "content-security-policy":
      "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
  };

  test.each<[string, string, object]>([
    ["what everybody may ask", "/healthz", {}],
    ["a page", "/", {}],
    ["the API", "/api/sessions", {}],
    ["the API's description", "/openapi.json", {}],
    ["what there is not", "/nowhere", {}],
    ["what goes wrong", "/api/status", {}],
    ["a wrong method", "/api/status", { method: "PUT" }],
    ["a refused origin", "/", { headers: { origin: "http://evil.example" } }],
    ["a refused host", "/", { headers: { host: "evil.example" } }],
    ["a body that is too long", "/api/hold", { method: "POST", headers: JSON_TYPE, body: " ".repeat(17 * KIB) }],
    ["a request that does not fit", "/api/tasks?limit=x", {}],
  ])("keep browsers from doing more than they should: %s", async (_what, path, question) => {
    const { headers } = await (await served()).ask(path, question);
    expect(headers).toMatchObject(SAFE);
    expect(headers).not.toHaveProperty("access-control-allow-origin");
    expect(headers).not.toHaveProperty("x-powered-by");
  });

  test("are the page's own where it has some", async () => {
    const api = await served();
    expect((await api.ask("/looser")).headers).toMatchObject({ ...SAFE, "content-security-policy": "default-src *" });
    expect((await api.ask("/asset")).headers).toMatchObject({ ...SAFE, "cache-control": "max-age=3600" });
  });

  test("allow Bull Board the styles in its HTML, and no script there either", async () => {
    const api = await served();
    for (const path of ["/queues", "/queues/", "/queues/queue/local"]) {
      const { headers } = await api.ask(path);
      const policy = String(headers["content-security-policy"]).split("; ");
      expect(policy).toEqual(expect.arrayContaining(["default-src 'self'", "style-src 'self' 'unsafe-inline'"]));
      expect(policy.filter((rule) => rule.startsWith("script-src"))).toEqual([]);
    }
    for (const path of ["/queuesx", "/x/queues", "/"])
      expect(String((await api.ask(path)).headers["content-security-policy"])).not.toContain("unsafe-inline");
  });

  test("are the same for those who have to log in", async () => {
    const api = await served({ token: TOKEN });
    for (const path of ["/login", "/"]) {
      const { headers } = await api.ask(path, { headers: { accept: "text/html" } });
      expect(headers).toMatchObject({
        ...SAFE,
        "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
      });
    }
  });
});

describe("a slow client", () => {
  const LONG = {
    headersMs: 60_000,
    requestMs: 60_000,
    keepAliveMs: 60_000,
    idleMs: 60_000,
    connections: 9,
    checkMs: 50,
  };
  const post = "POST /api/hold HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

  test.each([
    ["says nothing", { headersMs: 150 }, "", /^$|^HTTP\/1\.1 408 /],
    ["does not finish its headers", { headersMs: 150 }, "GET /healthz HTTP/1.1\r\nHost: loc", /^HTTP\/1\.1 408 /],
    [
      "does not finish its body",
      { headersMs: 150, requestMs: 300 },
      `${post}Content-Length: 9\r\n\r\n{`,
      /^HTTP\/1\.1 408 /,
    ],
    [
      "does not finish its chunks",
      { headersMs: 150, requestMs: 300 },
      `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{`,
      /^HTTP\/1\.1 408 /,
    ],
    [
      "keeps a connection",
      { keepAliveMs: 200 },
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      /^HTTP\/1\.1 200 /,
    ],
    ["is away", { idleMs: 200 }, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n", /^HTTP\/1\.1 200 /],
  ])("that %s is let go", async (_what, limits, bytes, answer) => {
    const streams = new EventStreams({ heartbeatMs: 60_000 });
    const api = await served({ limits: { ...LONG, ...limits }, streams });
    expect(await api.raw(bytes)).toMatch(answer);
    await until("nothing is left of it", async () => streams.open === 0);
    expect(api.errors).toEqual([]);
  });

  test("takes one of so many connections, and does not keep others out for longer than that", async () => {
    const api = await served({ limits: { ...LONG, headersMs: 500, connections: 2 } });
    const sockets = [1, 2].map(() => connect(Number(new URL(api.server.url).port), "127.0.0.1"));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of sockets) socket.on("error", () => {}).resume();
    await Promise.all(sockets.map(async (socket) => await once(socket, "connect")));
    const bytes = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    expect(await api.raw(bytes)).toBe("");
    await Promise.all(sockets.map(async (socket) => await new Promise((resolve) => socket.once("close", resolve))));
    expect(await api.raw(bytes)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

test("a question that nobody answers in time is told so, and a command is left to end", async () => {
  let finish = () => {};
  const held = new Promise<null>((resolve) => {
    finish = () => resolve(null);
  });
  const controls = controlsThat({ status: async () => await new Promise(() => {}), hold: async () => await held });
  const api = await serveApi({ controls, patienceMs: 50 });
  const holding = api.says("/api/hold", { method: "POST" });
  expect(await api.says("/api/status")).toBe("503 DAEMON_SILENT");
  finish();
  expect(await holding).toBe("200");
  expect(api.errors).toEqual([]);
});
