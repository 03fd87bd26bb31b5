import { describe, expect, test } from "vitest";
import { z } from "zod";
import { QueueError } from "../../src/core/errors.ts";
import { controlsThat } from "../helpers/api-controls.ts";
import { type Question, type ServedApi, serveApi } from "../helpers/served-api.ts";

const DONE = { task: "site/x.md", path: "/p/site/.agent-queue/inbox/x.md" };
const HOLD = { kind: "manual", since: "2026-01-01T00:00:00.000Z", until: null, message: "deploy" } as const;
const json = (body: unknown): Question => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

/** An API whose commands do nothing, and what they were told. */
async function served(): Promise<ServedApi & { readonly told: unknown[] }> {
  const told: unknown[] = [];
  const tells =
    <T>(name: string, answer: T) =>
    async (...args: unknown[]) => {
      told.push([name, ...args]);
      return await Promise.resolve(answer);
    };
  const controls = controlsThat({
    tasks: tells("tasks", { total: 0, offset: 0, tasks: [] }),
    log: tells("log", { id: "a", task: DONE.task, lines: [], next: 0, over: true }),
    add: tells("add", DONE),
    retry: tells("retry", DONE),
    retryAll: tells("retryAll", [DONE]),
    cancel: tells("cancel", DONE),
    hold: tells("hold", HOLD),
    resume: tells("resume", null),
    sessions: tells("sessions", []),
    screen: tells("screen", { session: "s", at: "2026-01-01T00:00:00.000Z", columns: 80, rows: 24, text: "" }),
    ready: tells("ready", undefined),
  });
  return { ...(await serveApi({ controls })), told };
}

describe("a question", () => {
  const NO_FILTER = { state: [], limit: 100, offset: 0 };

  test.each([
    ["/api/tasks", NO_FILTER],
    ["/api/tasks?state=failed", { ...NO_FILTER, state: ["failed"] }],
    ["/api/tasks?state=failed&state=done", { ...NO_FILTER, state: ["failed", "done"] }],
    ["/api/tasks?limit=7&offset=14", { ...NO_FILTER, limit: 7, offset: 14 }],
    ["/api/tasks?project=a%2Fb&route=local&tag=%C3%BC%26", { ...NO_FILTER, project: "a/b", route: "local", tag: "ü&" }],
  ])("%s lists as it says", async (path, filter) => {
    const api = await served();
    expect(JSON.parse((await api.ask(path)).body)).toEqual({ total: 0, offset: 0, tasks: [] });
    expect(api.told).toEqual([["tasks", filter]]);
  });

  test.each([
    ["/api/tasks?state=lost", "state.0 in the query: "],
    ["/api/tasks?limit=0", "limit in the query: "],
    ["/api/tasks?limit=10001", "limit in the query: "],
    ["/api/tasks?limit=1.5", "limit in the query: "],
    ["/api/tasks?limit=-1", "limit in the query: "],
    ["/api/tasks?limit=1&limit=2", "limit in the query: "],
    ["/api/tasks?offset=1e99", "offset in the query: "],
    ["/api/tasks?offset=99999999999999999999", "offset in the query: "],
    ["/api/tasks?route=moon", "route in the query: "],
    ["/api/tasks?project=a&project=b", "project in the query: "],
    ["/api/tasks?stat=failed", 'the query: Unrecognized key: "stat"'],
    ["/api/tasks?__proto__=1", 'the query: Unrecognized key: "__proto__"'],
    ["/api/tasks?limit=x&route=y", "; "],
    ["/api/tasks/x.md/log?from=x", "from in the query: "],
    ["/api/tasks/x.md/log?to=1", 'the query: Unrecognized key: "to"'],
  ])("%s is refused, with what is wrong where", async (path, detail) => {
    const api = await served();
    const { status, body } = await api.ask(path);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toEqual({
      ...{ type: "about:blank", title: "REQUEST_INVALID", status: 400, code: "REQUEST_INVALID" },
      detail: expect.stringContaining(detail),
      hint: expect.stringContaining("/openapi.json"),
    });
    expect(api.told).toEqual([]);
    expect(api.errors).toEqual([]);
  });

  test("for a log goes on where the last one ended", async () => {
    const api = await served();
    await api.ask("/api/tasks/site%2Fx.md/log");
    await api.ask("/api/tasks/abc/log?from=12");
    expect(api.told).toEqual([
      ["log", "site/x.md", 0],
      ["log", "abc", 12],
    ]);
  });
});

describe("a command", () => {
  const ALL = { text: "Do it.", project: "site", name: "x.md", priority: "high" };

  test("to add a task hands over the draft, and answers 201", async () => {
    const api = await served();
    for (const draft of [{ text: "Do it." }, ALL]) {
      const { status, body } = await api.ask("/api/tasks", json(draft));
      expect({ status, body: JSON.parse(body) }).toEqual({ status: 201, body: DONE });
    }
    expect(api.told).toEqual([
      ["add", { text: "Do it." }],
      ["add", ALL],
    ]);
  });

  test("for one task, for all failed ones, and for the pool does what it says", async () => {
    const api = await served();
    const answers = [];
    for (const [path, question] of [
      ["/api/tasks/site%2Fx.md/retry", { method: "POST" }],
      ["/api/tasks/retry", { method: "POST" }],
      ["/api/tasks/retry", json({ project: "site" })],
      ["/api/tasks/retry", json({})],
      ["/api/tasks/retry/cancel", { method: "POST" }],
      ["/api/hold", json({ message: "deploy" })],
      ["/api/hold", { method: "POST" }],
      ["/api/resume", { method: "POST" }],
    ] as const)
      answers.push(JSON.parse((await api.ask(path, question)).body));
    const all = { tasks: [DONE] };
    expect(answers).toEqual([DONE, all, all, all, DONE, { hold: HOLD }, { hold: HOLD }, { hold: null }]);
    expect(api.told).toEqual([
      ["retry", "site/x.md"],
      ["retryAll", null],
      ["retryAll", "site"],
      ["retryAll", null],
      ["cancel", "retry"],
      ["hold", "deploy"],
      ["hold", null],
      ["resume"],
    ]);
  });

  test.each([
    ["/api/tasks", {}, "text in the body: "],
    ["/api/tasks", { text: "" }, "text in the body: "],
    ["/api/tasks", { text: 7 }, "text in the body: "],
    ["/api/tasks", { ...ALL, priority: "urgent" }, "priority in the body: "],
    ["/api/tasks", { ...ALL, projct: "x" }, 'the body: Unrecognized key: "projct"'],
    ["/api/tasks", [], "the body: "],
    ["/api/tasks", "null", "the body: "],
    ["/api/tasks", '"text"', "the body: "],
    ["/api/tasks", "{", "the body is not JSON"],
    ["/api/tasks", "", "the body is not JSON"],
    ["/api/tasks", '{"text":"x","__proto__":{"name":"y"}}', 'the body: Unrecognized key: "__proto__"'],
    ["/api/tasks/retry", { projct: "site" }, 'the body: Unrecognized key: "projct"'],
    ["/api/tasks/retry", { project: "" }, "project in the body: "],
    ["/api/tasks/retry", { project: null }, "project in the body: "],
    ["/api/hold", { message: "x".repeat(501) }, "message in the body: "],
    ["/api/hold", { message: "" }, "message in the body: "],
  ])("%s with %j is refused, with what is wrong where", async (path, body, detail) => {
    const api = await served();
    const { status, body: answer } = await api.ask(path, json(body));
    expect({ status, answer: JSON.parse(answer) }).toMatchObject({
      status: 400,
      answer: { code: "REQUEST_INVALID", detail: expect.stringContaining(detail) },
    });
    expect(api.told).toEqual([]);
    expect(api.errors).toEqual([]);
  });
});

describe("a name", () => {
  const NAMES: [string, string][] = [
    ["..%2f..%2f..%2fetc%2fpasswd", "../../../etc/passwd"],
    ["%2e%2e%2f%2e%2e%2fetc%2fpasswd", "../../etc/passwd"],
    ["..%5c..%5cetc", "..\\..\\etc"],
    ["%2fetc%2fpasswd", "/etc/passwd"],
    ["%00", "\0"],
    ["x%00.md", "x\0.md"],
    ["x%0d%0aSet-Cookie:%20a=b", "x\r\nSet-Cookie: a=b"],
    ["x;y=z.md", "x;y=z.md"],
    ["%24(id)", "$(id)"],
    ["%60id%60", "`id`"],
    ["%23%7Bpid%7D", "#{pid}"],
    ["=ccl-auto-11", "=ccl-auto-11"],
    ["ccl-auto-11:0.1", "ccl-auto-11:0.1"],
    ["*", "*"],
    ["-L", "-L"],
    ["%E6%9D%B1%E4%BA%AC.md", "東京.md"],
    ["%e2%80%ae.md", "\u202e.md"],
    ["%F0%9F%98%80", "😀"],
    ["a+b", "a+b"],
    ["a%2Bb", "a+b"],
    ["%25%32%65", "%2e"],
    ["%ff%fe", "%ff%fe"],
    ["%", "%"],
    ["%zz", "%zz"],
    ["constructor", "constructor"],
    ["__proto__", "__proto__"],
    ["x".repeat(8_000), "x".repeat(8_000)],
  ];

  test.each(NAMES)("such as %j is looked up as it is, and nothing else is done with it", async (encoded, name) => {
    const api = await served();
    const bytes = (method: string, path: string) =>
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const answers = [
      await api.raw(bytes("GET", `/api/sessions/${encoded}/screen`)),
      await api.raw(bytes("GET", `/api/tasks/${encoded}/log`)),
      await api.raw(bytes("POST", `/api/tasks/${encoded}/cancel`)),
      await api.raw(bytes("POST", `/api/tasks/${encoded}/retry`)),
    ];
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(answer.toLowerCase()).not.toContain("set-cookie");
    }
    expect(api.told).toEqual([
      ["screen", name],
      ["log", name, 0],
      ["cancel", name],
      ["retry", name],
    ]);
  });

  test.each([
    "/api/sessions/../sessions/x/screen/../../../etc/passwd",
    "/api/sessions/%2e%2e/%2e%2e/etc/passwd",
    "/api/tasks/..;/x/cancel",
    "/api/sessions//screen",
    "/assets/../../etc/passwd",
    "/assets/..%2f..%2fetc%2fpasswd",
    "/api/sessions/x/screen%00",
    "http://evil.example/api/sessions/x",
    "*",
  ])("that tries to leave its place finds nothing there: %s", async (path) => {
    const api = await served();
    for (const method of ["GET", "POST"]) {
      const answer = await api.raw(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 (400|403|404|405) /);
    }
    expect(api.told).toEqual([]);
  });

  test("that is longer than any header may be is refused", async () => {
    const api = await served();
    const answer = await api.raw(`GET /api/tasks/${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|431) /);
  });
});

describe("readiness", () => {
  test("is known without a token, and hides what only operators may know", async () => {
    const detail = "redis://:secret@10.0.0.7 does not answer";
    const ready = async () => await Promise.reject(new QueueError(detail, { code: "REDIS_UNREACHABLE" }));
    const api = await serveApi({ controls: controlsThat({ ready }), token: "s3cret-token" });
    const { status, body } = await api.ask("/readyz");
    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 503,
      body: expect.objectContaining({ code: "REDIS_UNREACHABLE", detail: "Redis does not answer." }),
    });
    expect(body).not.toContain("secret");
    expect((await api.ask("/healthz")).status).toBe(200);
  });

  test("is looked at once for many who ask", async () => {
    const api = await served();
    const answers = await Promise.all(Array.from({ length: 50 }, async () => await api.ask("/readyz")));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(
      new Set(['200 {"status":"ready"}']),
    );
    expect(api.told).toEqual([["ready"]]);
  });
});

const operation = z.object({
  operationId: z.string().min(1),
  summary: z.string().min(1),
  tags: z.array(z.string()).length(1),
  security: z.array(z.unknown()).optional(),
  responses: z.record(z.string(), z.object({ description: z.string().min(1) })),
  parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() })).default([]),
});
const openApi = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({
    schemas: z.record(z.string(), z.unknown()),
    securitySchemes: z.object({ token: z.unknown(), login: z.unknown() }),
  }),
  security: z.tuple([z.object({ token: z.tuple([]) }), z.object({ login: z.tuple([]) })]),
});

describe("the description of the API", () => {
  test("is the same each time, and has a summary, an answer and a problem for each route", async () => {
    const api = await served();
    const { body } = await api.ask("/openapi.json");
    expect((await api.ask("/openapi.json")).body).toBe(body);
    const { paths, components } = openApi.parse(JSON.parse(body));
    expect(Object.keys(components.schemas)).toContain("Problem");
    const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, methods] of Object.entries(paths))
      for (const { responses, parameters, security } of Object.values(methods)) {
        expect(Object.keys(responses)).toEqual([expect.stringMatching(/^20[01]$/), "default"]);
        const named = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => `{${name}}`);
        expect(path.match(/\{\w+\}/g) ?? []).toEqual(named);
        expect(security).toEqual(/^\/(?:healthz|readyz)$/.test(path) ? [] : undefined);
      }
  });
});
