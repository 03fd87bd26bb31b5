import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { Attempts } from "../../src/server/attempts.ts";
import { guard } from "../../src/server/guard.ts";
import { LoginCookie } from "../../src/server/login-cookie.ts";
import { controlsThat } from "../helpers/api-controls.ts";
import { type ServedApi, serveApi } from "../helpers/served-api.ts";

const TOKEN = "s3cret-token";
const DAY_MS = 24 * 60 * 60_000;
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const PAGE = { accept: "text/html,application/xhtml+xml" };

/** An API with a page and a command that always work. */
async function served(options: Parameters<typeof serveApi>[0] = {}): Promise<ServedApi> {
  const page = new Hono();
  page.get("/tasks", (context) => context.html("<p>tasks</p>"));
  page.post("/hold", (context) => context.redirect("/", 303));
  const controls = controlsThat({ resume: async () => null, sessions: async () => [] });
  return await serveApi({ token: TOKEN, controls, pages: { "/": page }, ...options });
}

const logIn = async (api: ServedApi, fields: Record<string, string>, headers = {}) =>
  await api.ask("/login", {
    method: "POST",
    headers: { ...FORM, ...headers },
    body: new URLSearchParams(fields).toString(),
  });

/** The cookie that the server sets, as a browser sends it back. */
async function cookieOf(api: ServedApi): Promise<string> {
  const { headers } = await logIn(api, { token: TOKEN });
  const [cookie = ""] = String(headers["set-cookie"]).split(";");
  return cookie;
}

describe("a page without a login", () => {
  test.each([
    ["/tasks", "/login?next=%2Ftasks"],
    ["/tasks?state=failed&project=a%20b", "/login?next=%2Ftasks%3Fstate%3Dfailed%26project%3Da%2520b"],
    ["/nowhere", "/login?next=%2Fnowhere"],
    ["/api/sessions", "/login?next=%2Fapi%2Fsessions"],
  ])("%s leads to the login", async (path, location) => {
    const { status, headers, body } = await (await served()).ask(path, { headers: PAGE });
    expect({ status, location: headers["location"], body }).toEqual({ status: 303, location, body: "" });
  });

  test("is refused to programs, and so is each command", async () => {
    const api = await served();
    for (const path of ["/tasks", "/api/sessions", "/metrics", "/openapi.json", "/nowhere"])
      expect(await api.says(path)).toBe("401 TOKEN_REFUSED");
    expect(await api.says("/hold", { method: "POST", headers: { ...FORM, ...PAGE } })).toBe("401 TOKEN_REFUSED");
    expect(await api.says("/api/resume", { method: "POST" })).toBe("401 TOKEN_REFUSED");
    expect(await api.says("/logout", { method: "POST" })).toBe("401 TOKEN_REFUSED");
  });
});

describe("the login page", () => {
  test("asks for the token, with nothing but itself", async () => {
    const { status, headers, body } = await (await served()).ask("/login?next=/tasks", { headers: PAGE });
    expect({ status, type: headers["content-type"] }).toEqual({ status: 200, type: "text/html; charset=UTF-8" });
    expect(body).toMatch(/<label for="token">/);
    expect(body).toContain('<input type="hidden" name="next" value="/tasks" />');
    expect(body).not.toMatch(/<script|<link|<img|src=|href=|http-equiv|style=/);
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+';/);
  });

  test("shows what it is given as text", async () => {
    const next = '/"><script>alert(1)</script>';
    const { body } = await (await served()).ask(`/login?next=${encodeURIComponent(next)}`);
    expect(body).not.toContain("<script");
    expect(body).toContain('value="/%22%3E%3Cscript%3Ealert(1)%3C/script%3E"');
  });

  test("has the browser ask again when it came from elsewhere, for then it kept the cookie to itself", async () => {
    const api = await served();
    const elsewhere = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    const { body } = await api.ask("/login?next=/tasks%3Fa%3D1%26b", { headers: elsewhere });
    expect(body).toContain('<meta http-equiv="refresh" content="0; url=/login?again&amp;next=%2Ftasks%3Fa%3D1%26b" />');
    const again = await api.ask("/login?again&next=/tasks", { headers: elsewhere });
    expect(again.body).not.toContain("http-equiv");
  });

  test("is passed by those who are in, and where no token is needed", async () => {
    const api = await served();
    const cookie = await cookieOf(api);
    expect(await api.ask("/login?next=/tasks", { headers: { cookie } })).toMatchObject({
      status: 303,
      headers: { location: "/tasks" },
    });
    const open = await served({ token: null });
    expect((await open.ask("/login?next=/tasks")).headers["location"]).toBe("/tasks");
    expect((await logIn(open, { token: "any", next: "/tasks" })).headers["location"]).toBe("/tasks");
    expect((await open.ask("/tasks")).status).toBe(200);
  });
});

describe("a login", () => {
  test("with the token sets a cookie for this server alone, and goes on", async () => {
    const { status, headers } = await logIn(await served(), { token: TOKEN, next: "/tasks?state=failed" });
    expect({ status, location: headers["location"] }).toEqual({ status: 303, location: "/tasks?state=failed" });
    const [value = "", ...flags] = String(headers["set-cookie"]).split("; ");
    expect(flags.sort()).toEqual(["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict"]);
    expect(value).toMatch(/^ccl_queue=\d{13}\.[\w-]{43}$/);
    expect(value).not.toContain(TOKEN);
  });

  test("behind a proxy with TLS sets a cookie that needs TLS", async () => {
    const { headers } = await logIn(await served(), { token: TOKEN }, { "x-forwarded-proto": "https" });
    expect(String(headers["set-cookie"])).toContain("; Secure");
  });

  test.each([
    ["none", {}],
    ["an empty one", { token: "" }],
    ["another", { token: "other" }],
    ["its beginning", { token: TOKEN.slice(0, -1) }],
    ["it and more", { token: `${TOKEN}x` }],
    ["it as a header would have it", { token: `Bearer ${TOKEN}` }],
  ])("with %s is refused, and says so", async (_what, fields) => {
    const { status, headers, body } = await logIn(await served(), { ...fields, next: "/tasks" });
    expect(status).toBe(401);
    expect(headers).not.toHaveProperty("set-cookie");
    expect(body).toContain('<p role="alert" id="wrong">That is not the token.</p>');
    expect(body).toContain('value="/tasks"');
  });

  test.each([
    "//evil.example",
    "//evil.example/tasks",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/x/..//evil.example",
    "/%2e//evil.example",
    "https://evil.example",
    "http:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://this.server.invalid@evil.example",
    "http://[",
    "",
  ])("leads nowhere else, whatever the link says: %j", async (next) => {
    const api = await served();
    const { headers } = await logIn(api, { token: TOKEN, next });
    const location = String(headers["location"]);
    expect(location).toMatch(/^\/(?![/\\])/);
    expect(new URL(location, "http://127.0.0.1:8420/login").host).toBe("127.0.0.1:8420");
    const { body } = await api.ask(`/login?next=${encodeURIComponent(next)}`);
    expect(body).toContain('name="next" value="/"');
  });

  test("of a page elsewhere is refused", async () => {
    const api = await served();
    for (const headers of [{ origin: "http://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }]) {
      const { status, headers: answered } = await logIn(api, { token: TOKEN }, headers);
      expect(status).toBe(403);
      expect(answered).not.toHaveProperty("set-cookie");
    }
  });

  test("may be made in read-only mode, and ended", async () => {
    const api = await served({ readOnly: true });
    const cookie = await cookieOf(api);
    expect((await api.ask("/tasks", { headers: { cookie } })).status).toBe(200);
    const headers = { ...FORM, cookie, origin: api.server.url };
    expect((await api.ask("/logout", { method: "POST", headers })).status).toBe(303);
    expect(await api.says("/hold", { method: "POST", headers })).toBe("403 READ_ONLY");
  });
});

describe("a login's cookie", () => {
  test("lets in to pages and to the API", async () => {
    const api = await served();
    const cookie = await cookieOf(api);
    for (const path of ["/tasks", "/api/sessions", "/openapi.json"])
      expect((await api.ask(path, { headers: { cookie, ...PAGE } })).status).toBe(200);
  });

  test("changes something only from a page of this server", async () => {
    const api = await served();
    const cookie = await cookieOf(api);
    const post = async (path: string, headers: object) =>
      await api.says(path, { method: "POST", headers: { cookie, ...headers } });
    for (const path of ["/hold", "/api/resume", "/logout"]) {
      expect(await post(path, {})).toBe("403 ORIGIN_REFUSED");
      expect(await post(path, { "sec-fetch-site": "none" })).toBe("403 ORIGIN_REFUSED");
      expect(await post(path, { "sec-fetch-site": "same-site" })).toBe("403 ORIGIN_REFUSED");
      expect(await post(path, { origin: "http://evil.example" })).toBe("403 ORIGIN_REFUSED");
      expect(await post(path, { origin: "null", "sec-fetch-site": "same-origin" })).toBe("403 ORIGIN_REFUSED");
      expect(await post(path, { origin: api.server.url })).toMatch(/^(200|303)$/);
      expect(await post(path, { "sec-fetch-site": "same-origin" })).toMatch(/^(200|303)$/);
    }
  });

  test("is removed by a logout", async () => {
    const api = await served();
    const cookie = await cookieOf(api);
    const { status, headers } = await api.ask("/logout", {
      method: "POST",
      headers: { cookie, origin: api.server.url },
    });
    expect({ status, location: headers["location"] }).toEqual({ status: 303, location: "/login" });
    expect(String(headers["set-cookie"])).toMatch(/^ccl_queue=; Max-Age=0; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  test.each<[string, (value: string) => string]>([
    ["nothing", () => ""],
    ["the token itself", () => TOKEN],
    ["a later end", (value) => value.replace(/^\d+/, (end) => String(Number(end) + 1))],
    ["no end", (value) => value.replace(/^\d+/, "")],
    ["another signature", (value) => `${value.slice(0, -1)}${value.endsWith("A") ? "B" : "A"}`],
    ["no signature", (value) => value.replace(/\.(.*)/, ".")],
    ["more than it was", (value) => `${value}.x`],
    ["one of another token", () => new LoginCookie("other").issue(Date.now())],
    ["one that is over", () => new LoginCookie(TOKEN).issue(Date.now() - 31 * DAY_MS)],
  ])("with %s lets nobody in", async (_what, forged) => {
    const api = await served();
    const value = (await cookieOf(api)).replace("ccl_queue=", "");
    expect(await api.says("/api/sessions", { headers: { cookie: `ccl_queue=${value}` } })).toBe("200");
    expect(await api.says("/api/sessions", { headers: { cookie: `ccl_queue=${forged(value)}` } })).toBe(
      "401 TOKEN_REFUSED",
    );
  });

  test("holds for 30 days", () => {
    const cookie = new LoginCookie(TOKEN);
    const nowMs = Date.now();
    const value = cookie.issue(nowMs);
    expect(cookie.isValid(value, nowMs + 30 * DAY_MS - 1)).toBe(true);
    expect(cookie.isValid(value, nowMs + 30 * DAY_MS)).toBe(false);
  });

  test("does not help a wrong token that is sent with it", async () => {
    const api = await served();
    const headers = { cookie: await cookieOf(api), authorization: "Bearer wrong" };
    expect(await api.says("/api/sessions", { headers })).toBe("401 TOKEN_REFUSED");
  });
});

describe("whoever tries tokens", () => {
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  test("at the login is not listened to after ten, and the log is told once", async () => {
    const api = await served();
    for (let index = 0; index < 10; index += 1) expect((await logIn(api, { token: `t${index}` })).status).toBe(401);
    for (const token of ["t10", "t11", TOKEN]) {
      const { status, headers, body } = await logIn(api, { token });
      expect({ status, wait: headers["retry-after"] }).toEqual({ status: 429, wait: "60" });
      expect(headers).not.toHaveProperty("set-cookie");
      expect(body).toContain("Wait a minute");
    }
    expect(await api.says("/api/sessions", bearer(TOKEN))).toBe("429 LOGIN_LIMITED");
    expect(api.errors).toEqual([expect.objectContaining({ code: "LOGIN_LIMITED" })]);
    expect(String(api.errors[0])).toContain("127.0.0.1");
    expect(String(api.errors[0])).not.toMatch(/t\d\b/);
  });

  test("at the API is not listened to after ten either, but whoever is logged in is", async () => {
    const api = await served();
    const cookie = await cookieOf(api);
    for (let index = 0; index < 10; index += 1)
      expect(await api.says("/api/sessions", bearer(`t${index}`))).toBe("401 TOKEN_REFUSED");
    expect(await api.says("/api/sessions", bearer(TOKEN))).toBe("429 LOGIN_LIMITED");
    expect((await logIn(api, { token: TOKEN })).status).toBe(429);
    expect(await api.says("/api/sessions", { headers: { cookie } })).toBe("200");
    expect(await api.says("/api/sessions")).toBe("401 TOKEN_REFUSED");
    expect((await api.ask("/healthz")).status).toBe(200);
  });

  test("is no program with an outdated token, however often it asks", async () => {
    const api = await served();
    for (let index = 0; index < 30; index += 1)
      expect(await api.says("/api/sessions", bearer("outdated"))).toBe("401 TOKEN_REFUSED");
    expect(await api.says("/api/sessions", bearer(TOKEN))).toBe("200");
    expect(api.errors).toEqual([]);
  });
});

describe("the tries that are remembered", () => {
  const ADDRESS = "192.0.2.1";

  /** What the guard says to an address that shows a token, on a clock of its own. */
  function clocked() {
    let nowMs = 1_000_000;
    const limited: string[] = [];
    const attempts = new Attempts({ onLimited: (error) => limited.push(error.message), now: () => nowMs });
    const app = new Hono();
    app.use(guard({ host: "127.0.0.1", token: TOKEN, attempts }));
    app.get("/", (context) => context.text("in"));
    const show = async (token: string, address = ADDRESS) => {
      const headers = { host: "127.0.0.1", authorization: `Bearer ${token}` };
      const env = { incoming: { socket: { remoteAddress: address } } };
      return (await app.request("http://127.0.0.1/", { headers }, env)).status;
    };
    const pass = (ms: number) => {
      nowMs += ms;
    };
    return { show, pass, limited };
  }

  test("are forgotten after a minute, each by itself", async () => {
    const { show, pass, limited } = clocked();
    for (let index = 0; index < 10; index += 1) {
      expect(await show(`t${index}`)).toBe(401);
      pass(1_000);
    }
    expect(await show(TOKEN)).toBe(429);
    pass(49_999);
    expect(await show(TOKEN)).toBe(429);
    pass(1);
    expect(await show(TOKEN)).toBe(200);
    expect(await show("t10")).toBe(401);
    expect(await show(TOKEN)).toBe(429);
    expect(limited).toEqual([expect.stringContaining(ADDRESS), expect.stringContaining(ADDRESS)]);
  });

  test("count from the first of the same token on", async () => {
    const { show, pass } = clocked();
    for (let index = 0; index < 9; index += 1) await show(`t${index}`);
    pass(59_000);
    for (let index = 0; index < 9; index += 1) expect(await show(`t${index}`)).toBe(401);
    pass(1_000);
    expect(await show("t9")).toBe(401);
    expect(await show(TOKEN)).toBe(200);
  });

  test("of one address keep no other out", async () => {
    const { show } = clocked();
    for (let index = 0; index < 20; index += 1) await show(`t${index}`);
    expect(await show(TOKEN)).toBe(429);
    expect(await show(TOKEN, "192.0.2.2")).toBe(200);
  });

  test("are those of the last thousand addresses", async () => {
    const { show } = clocked();
    for (let index = 0; index < 10; index += 1) await show(`t${index}`);
    for (let index = 0; index < 999; index += 1) await show("t", `2001:db8::${index.toString(16)}`);
    expect(await show(TOKEN)).toBe(429);
    await show("t", "2001:db8:1::");
    expect(await show(TOKEN)).toBe(200);
  });
});
