import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createApi } from "../../src/server/api.ts";
import { controlsThat, quietParts } from "../helpers/api-controls.ts";
import { dashboardWith } from "../helpers/dashboard.ts";
import { forAll } from "../helpers/hostile.ts";
import { json, jsonLike, text } from "../helpers/hostile-inputs.ts";

const DONE = { task: "site/x.md", path: "/p/site/.agent-queue/inbox/x.md" };
const PRIORITY = z.enum(["critical", "high", "default", "low"]);
/** What commands and questions may be told: nothing that their schemas do not allow gets this far. */
const TOLD = {
  add: z.tuple([
    z.strictObject({
      text: z.string().min(1),
      project: z.string().optional(),
      name: z.string().optional(),
      priority: PRIORITY.optional(),
    }),
  ]),
  tasks: z.tuple([z.looseObject({ state: z.array(z.string()), limit: z.int().min(1), offset: z.int().min(0) })]),
  log: z.tuple([z.string().min(1), z.int().min(0)]),
  hold: z.tuple([z.string().min(1).max(500).nullable()]),
  retryAll: z.tuple([z.string().min(1).nullable()]),
  ...{ retry: z.tuple([z.string().min(1)]), cancel: z.tuple([z.string().min(1)]), adopt: z.tuple([z.string().min(1)]) },
  ...{ screen: z.tuple([z.string().min(1)]), task: z.tuple([z.string().min(1)]) },
};
const problemSchema = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string().regex(/^[A-Z_]+$/),
  status: z.int(),
  code: z.string().regex(/^[A-Z_]+$/),
  detail: z.string().min(1).max(2_000),
  hint: z.string().optional(),
});

/** An API whose commands check what they are told, and do nothing. */
function checkingApi() {
  const errors: unknown[] = [];
  const checking =
    <T>(name: keyof typeof TOLD, answer: T) =>
    async (...args: unknown[]) => {
      TOLD[name].parse(args);
      return await Promise.resolve(answer);
    };
  const controls = controlsThat({
    tasks: checking("tasks", { total: 0, offset: 0, tasks: [] }),
    log: checking("log", { id: "a", task: DONE.task, lines: [], next: 0, over: true }),
    screen: checking("screen", { session: "s", at: "2026-01-01T00:00:00.000Z", columns: 80, rows: 24, text: "" }),
    add: checking("add", DONE),
    retry: checking("retry", DONE),
    retryAll: checking("retryAll", [DONE]),
    cancel: checking("cancel", DONE),
    hold: checking("hold", null),
    adopt: checking("adopt", []),
  });
  const guard = async (_context: unknown, next: () => Promise<void>) => await next();
  const api = createApi({ ...quietParts(), controls, guard, onError: (error) => errors.push(error) });
  return { api, errors };
}

const { api, errors } = checkingApi();

/** An answer is what was asked for or says what is wrong with the question, and nobody was surprised. */
async function expectAnswer(path: string, init: RequestInit): Promise<void> {
  const response = await api.request(path, init);
  const body = await response.text();
  expect(errors).toEqual([]);
  expect([200, 201, 302, 400, 404, 405, 413, 415]).toContain(response.status);
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(problemSchema.safeParse(JSON.parse(body)).error).toBeUndefined();
}

const drafts = jsonLike({
  text: fc.oneof(text, fc.constant("Do it.")),
  project: fc.oneof(text, fc.constant("site")),
  name: fc.oneof(text, fc.constantFrom("../../x.md", "/etc/x.md", "x.md\0", "x".repeat(300))),
  priority: fc.oneof(text, fc.constantFrom("high", "low")),
});
const messages = jsonLike({ message: text });
const projects = jsonLike({ project: text });
const types = fc.oneof(
  fc.constantFrom("application/json", "application/json; charset=utf-16", "text/json", "multipart/form-data"),
  text.map(headerOf),
);
const commands = fc.oneof(
  fc.tuple(fc.constant("/api/tasks"), drafts),
  fc.tuple(fc.constant("/api/hold"), messages),
  fc.tuple(fc.constant("/api/tasks/retry"), projects),
);
const posted = (body: string, type = "application/json"): RequestInit => ({
  method: "POST",
  headers: { "content-type": type, "content-length": String(Buffer.byteLength(body)) },
  body,
});

describe("a request is answered, or refused for what is wrong with it", () => {
  forAll("whatever its body says", commands, async ([path, body]) => await expectAnswer(path, posted(body)));

  forAll(
    "whatever it says of its body",
    fc.tuple(commands, types, fc.oneof(text.map(headerOf), fc.nat().map(String))),
    async (given) => {
      const [[path, body], type, length] = given;
      const headers = { "content-type": type, "content-length": length };
      await expectAnswer(path, { method: "POST", headers, body });
    },
  );

  forAll(
    "whatever its query says",
    fc.array(
      fc.tuple(
        fc.oneof(fc.constantFrom("state", "limit", "offset", "project", "route", "tag", "from", "__proto__"), text),
        fc.oneof(text, fc.constantFrom("failed", "1", "1e9", "-1")),
      ),
      { maxLength: 4 },
    ),
    async (given) => {
      const query = new URLSearchParams(given);
      for (const path of ["/api/tasks", "/api/tasks/x.md/log", "/api/sessions/s/screen"])
        await expectAnswer(`${path}?${query}`, {});
    },
  );

  forAll(
    "whatever it names",
    fc.tuple(
      text.filter((it) => it !== ""),
      fc.constantFrom("retry", "cancel", "log", ""),
    ),
    async ([name, command]) => {
      const encoded = encodeURIComponent(Buffer.from(name).toString());
      const method = command === "retry" || command === "cancel" ? "POST" : "GET";
      await expectAnswer(`/api/tasks/${encoded}/${command}`, { method });
      await expectAnswer(`/api/hosts/${encoded}/adopt`, { method: "POST" });
      await expectAnswer(`/api/sessions/${encoded}/screen`, {});
    },
  );
});

test.each(["[", '{"text":', '{"a":['])("a body that is nested as deep as it is long is refused: %j", async (unit) => {
  const body = unit.repeat(1_500_000 / unit.length);
  expect((await api.request("/api/tasks", posted(body))).status).toBe(400);
  expect(errors).toEqual([]);
});

describe("a page's form", () => {
  const field = fc.tuple(
    fc.constantFrom("text", "project", "name", "priority", "task", "back", "__proto__"),
    fc.oneof(
      text,
      json.map((value) => JSON.stringify(value)),
    ),
  );

  forAll(
    "leads to a page of ours, whatever it holds",
    fc.tuple(
      fc.constantFrom("/tasks", "/hold", "/resume", "/tasks/retry-failed", "/tasks/x/retry", "/tasks/%2e%2e/cancel"),
      fc.array(field, { maxLength: 5 }),
    ),
    async ([path, fields]) => {
      const { app, errors: unforeseen } = dashboardWith();
      const body = new URLSearchParams(fields);
      const response = await app.request(path, { method: "POST", headers: { accept: "text/html" }, body });
      expect(unforeseen).toEqual([]);
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get("location") ?? "/").toMatch(/^\/(?!\/)[\x21-\x7e]*$/);
      expect(await response.text()).not.toContain("<script>alert(1)</script>");
    },
    { batch: 4 },
  );
});

/** What a header can hold. */
function headerOf(given: string): string {
  return given.replaceAll(/[^\x20-\x7e]/g, "").trim();
}
