import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type GuardOptions, guard, isLoopback } from "../../src/server/guard.ts";

const LOCAL: GuardOptions = { host: "127.0.0.1", token: null };
const SECRET = "s3cret-token";
const PUBLIC: GuardOptions = { host: "192.168.1.20", token: SECRET };

const answer = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
});

/** What the guard says to a request with these headers: "in", or the status and code of its refusal. */
async function says(options: GuardOptions, headers: Record<string, string>, method = "GET"): Promise<string> {
  const app = new Hono();
  app.use(guard(options));
  app.all("*", (context) => context.text("in"));
  const url = `http://${headers["host"]}/`;
  const name = URL.canParse(url) ? new URL(url).host : "no-host.example";
  const response = await app.request(`http://${name}/watchdog/status`, { method, headers });
  if (response.ok) return await response.text();
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const { status, code, title } = answer.parse(await response.json());
  expect({ status, title }).toEqual({ status: response.status, title: code });
  return `${status} ${code}`;
}

describe("an address of this machine alone", () => {
  test.each(["127.0.0.1", "127.0.0.5", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"])(
    "is %s",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  test.each([
    "0.0.0.0",
    "::",
    "::2",
    "::ffff:10.0.0.1",
    "10.0.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "192.168.1.20",
    "fe80::1",
    "example.org",
    "localhost.example.org",
    "127.0.0.1.example.org",
    "127.0.0.1 ",
    "",
  ])("is not %j", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe("without a token, on this machine alone", () => {
  test.each([
    "127.0.0.1:8420",
    "127.0.0.1",
    "127.0.0.5:8420",
    "localhost:8420",
    "LOCALHOST:8420",
    "[::1]:8420",
    "[::1]",
  ])("the host %s is let in", async (host) => {
    expect(await says(LOCAL, { host })).toBe("in");
  });

  test.each([
    "evil.example",
    "evil.example:8420",
    "127.0.0.1.evil.example",
    "127.0.0.1.evil.example:8420",
    "localhost.evil.example",
    "evil-localhost",
    "10.0.0.1:8420",
    "0.0.0.0:8420",
    "[::]:8420",
    "localhost:99999",
    "127.0.0.1, evil.example",
    "evil.example, 127.0.0.1",
    "not a host",
    "[::1",
    "%%%",
    "",
  ])("the host %j is refused", async (host) => {
    expect(await says(LOCAL, { host })).toBe("403 HOST_REFUSED");
  });

  test.each([
    "evil.example@127.0.0.1",
    "user:password@localhost:8420",
    "127.0.0.1:8420/evil.example",
    "127.0.0.1?evil.example",
    "127.0.0.1#evil.example",
    "127.0.0.1\\evil.example",
  ])("the host %j, which is none but holds one, is refused", async (host) => {
    expect(await says(LOCAL, { host })).toBe("403 HOST_REFUSED");
  });

  test("a request without a host is refused", async () => {
    expect(await says(LOCAL, {})).toBe("403 HOST_REFUSED");
  });

  test.each([
    "http://evil.example",
    "https://127.0.0.1.evil.example",
    "null",
    "file://",
    "http://127.0.0.1",
    "http://127.0.0.1:8421",
    "http://localhost:8420",
    "not an origin",
    "",
  ])("a page of %j is refused, whatever it does", async (origin) => {
    const host = "127.0.0.1:8420";
    expect(await says(LOCAL, { host, origin })).toBe("403 ORIGIN_REFUSED");
    expect(await says(LOCAL, { host, origin }, "POST")).toBe("403 ORIGIN_REFUSED");
  });

  test.each([
    ["127.0.0.1:8420", "http://127.0.0.1:8420"],
    ["localhost", "http://localhost"],
    ["[::1]:8420", "http://[::1]:8420"],
  ])("a page of this very server, %s, is let in", async (host, origin) => {
    expect(await says(LOCAL, { host, origin }, "POST")).toBe("in");
  });

  test("a token that nobody asks for does no harm", async () => {
    expect(await says(LOCAL, { host: "localhost", authorization: "Bearer whatever" })).toBe("in");
  });
});

describe.each([
  ["an address that others reach", PUBLIC],
  ["this machine alone", { ...LOCAL, token: SECRET }],
])("with a token, on %s", (_where, options) => {
  test.each(["192.168.1.20:8420", "queue.example", "127.0.0.1:8420"])(
    "it opens by any name, such as %s: the token decides",
    async (host) => {
      expect(await says(options, { host, authorization: `Bearer ${SECRET}` })).toBe("in");
    },
  );

  test.each([
    ["none", undefined],
    ["an empty one", ""],
    ["the scheme alone", "Bearer"],
    ["the scheme and a blank", "Bearer "],
    ["another", "Bearer other"],
    ["its beginning", `Bearer ${SECRET.slice(0, -1)}`],
    ["it and more", `Bearer ${SECRET}x`],
    ["it in capitals", `Bearer ${SECRET.toUpperCase()}`],
    ["it without the scheme", SECRET],
    ["it as a password", `Basic ${Buffer.from(`x:${SECRET}`).toString("base64")}`],
    ["it twice", `Bearer ${SECRET}, Bearer ${SECRET}`],
  ])("%s is refused", async (_what, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    expect(await says(options, { host: "127.0.0.1:8420", ...headers })).toBe("401 TOKEN_REFUSED");
  });

  test("even the right one does not let in a page of another server", async () => {
    const headers = { host: "queue.example", authorization: `Bearer ${SECRET}` };
    expect(await says(options, { ...headers, origin: "http://evil.example" })).toBe("403 ORIGIN_REFUSED");
    expect(await says(options, { ...headers, origin: "null" })).toBe("403 ORIGIN_REFUSED");
    expect(await says(options, { ...headers, origin: "http://queue.example" })).toBe("in");
  });
});
