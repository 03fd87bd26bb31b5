import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Secutools } from "../../src/workers/secutools/client.ts";
import { SUBMISSION, send } from "../helpers/hostile-platform.ts";
import { until } from "../helpers/until.ts";
import { KEY, useSecutools } from "../helpers/use-secutools.ts";

const { platform, client, failure } = useSecutools();
const MIB = 1024 * 1024;
const JOB = { id: "j1", status: "running" };

describe("a request", () => {
  test("to submit is what the description of the API says", async () => {
    const server = await platform((response) => send(response, 201, { id: "j1", status: "queued", more: true }));
    expect(await client(server.url).submitJob(SUBMISSION, "task1-1")).toEqual({ id: "j1", status: "queued" });
    const [request] = server.requests;
    expect(request).toMatchObject({
      method: "POST",
      path: "/api/v1/jobs",
      headers: {
        authorization: `Bearer ${KEY}`,
        "idempotency-key": "task1-1",
        "content-type": "application/json",
        accept: "application/json",
      },
    });
    expect(JSON.parse(request?.body ?? "")).toEqual(SUBMISSION);
  });

  test.each([200, 201, 202])("to submit is taken with %d", async (status) => {
    const server = await platform((response) => send(response, status, { id: "a.b_c:d-9", status: "completed" }));
    expect(await client(server.url).submitJob(SUBMISSION, "k")).toEqual({ id: "a.b_c:d-9", status: "completed" });
  });

  test.each([
    ["", "/api/v1/jobs/a%3Ab"],
    ["/", "/api/v1/jobs/a%3Ab"],
    ["/base", "/base/api/v1/jobs/a%3Ab"],
    ["/base/", "/base/api/v1/jobs/a%3Ab"],
    ["/a/b//?x=1#y", "/a/b/api/v1/jobs/a%3Ab"],
  ])("below the address %j goes to %s, with the id quoted", async (base, path) => {
    const server = await platform((response, _index, { method }) =>
      method === "GET" ? send(response, 200, { id: "a:b", status: "running" }) : send(response, 204),
    );
    const one = client(`${server.url}${base}`);
    await one.getJob("a:b");
    await one.cancelJob("a:b");
    expect(server.requests.map((request) => `${request.method} ${request.path}`)).toEqual([
      `GET ${path}`,
      `DELETE ${path}`,
    ]);
    for (const { headers } of server.requests) expect(headers.authorization).toBe(`Bearer ${KEY}`);
  });

  test.each(["", ".", "..", "../x", "a/b", "a?b", "a b", "a\n", "a%2e", "ä", "x".repeat(129)])(
    "is not made for the id %j",
    async (id) => {
      const server = await platform((response) => send(response, 200, JOB));
      const one = client(server.url);
      for (const call of [one.getJob(id), one.cancelJob(id), one.waitForResult(id, { pollMs: 1, timeoutMs: 1_000 })])
        expect((await failure(call)).code).toBe("SECUTOOLS_BAD_ANSWER");
      expect(server.requests).toEqual([]);
    },
  );

  test.each(["", "a b", "a\r\nx: y", "ä", "x".repeat(256)])("is not made with the key %j", async (key) => {
    const server = await platform((response) => send(response, 201, JOB));
    await expect(client(server.url).submitJob(SUBMISSION, key)).rejects.toThrow(TypeError);
    expect(server.requests).toEqual([]);
  });
});

describe("a job", () => {
  test("is told of with everything that the platform says", async () => {
    const server = await platform((response) =>
      send(response, 200, {
        id: "j1",
        status: "failed",
        provider: "gpu",
        model: "m",
        result: "half of it\n",
        error: { code: "timeout", message: "too slow", details: [1] },
        cost_usd: 0.25,
        usage: { input_tokens: 3, output_tokens: 4, cached: 9 },
        created_at: "2026-01-01T00:00:00Z",
        finished_at: "2026-01-01T00:00:01Z",
        surprise: true,
      }),
    );
    expect(await client(server.url).getJob("j1")).toEqual({
      id: "j1",
      status: "failed",
      provider: "gpu",
      model: "m",
      result: "half of it\n",
      error: { code: "timeout", message: "too slow" },
      costUsd: 0.25,
      usage: { input: 3, output: 4 },
      createdAt: "2026-01-01T00:00:00Z",
      finishedAt: "2026-01-01T00:00:01Z",
    });
  });

  const EMPTY = {
    provider: null,
    model: null,
    result: null,
    error: null,
    costUsd: null,
    usage: null,
    createdAt: null,
    finishedAt: null,
  };

  test.each([
    ["nothing but id and status", {}],
    ["null for the rest", { provider: null, model: null, result: null, error: null, cost_usd: null, usage: null }],
  ])("has null for what is not known: %s", async (_what, rest) => {
    const server = await platform((response) => send(response, 200, { ...JOB, ...rest }));
    expect(await client(server.url).getJob("j1")).toEqual({ ...JOB, ...EMPTY });
  });

  test("that the platform does not know is null, and is not cancelled", async () => {
    const server = await platform((response) => send(response, 404, { error: { code: "unknown", message: "gone" } }));
    const one = client(server.url);
    expect(await one.getJob("j1")).toBeNull();
    expect(await one.cancelJob("j1")).toBe(false);
    expect(server.requests).toHaveLength(2);
  });

  test.each([200, 202, 204])("is cancelled with %d, whatever else is said", async (status) => {
    const server = await platform((response) => send(response, status, status === 204 ? "" : "<html>"));
    expect(await client(server.url).cancelJob("j1")).toBe(true);
  });

  test("is cancelled when the answer is too large to be read", async () => {
    const server = await platform((response) => {
      response.writeHead(200, { "content-length": String(200 * MIB) }).flushHeaders();
    });
    expect(await client(server.url).cancelJob("j1")).toBe(true);
  });

  test.each<[string, unknown, string | null]>([
    ["text", "# Done\n", "# Done\n"],
    ["no text", "", ""],
    ["an object", { a: [1, "x"] }, '{\n  "a": [\n    1,\n    "x"\n  ]\n}'],
    ["a number", 7, "7"],
    ["false", false, "false"],
    ["null", null, null],
  ])("has %s as its result", async (_what, result, expected) => {
    const server = await platform((response) => send(response, 200, { id: "j1", status: "completed", result }));
    expect((await client(server.url).getJob("j1"))?.result).toBe(expected);
  });

  test("has a large result of another kind without indentation, which would make it larger still", async () => {
    const result = Array.from({ length: MIB }, () => 1);
    const server = await platform((response) => send(response, 200, { id: "j1", status: "completed", result }));
    expect((await client(server.url).getJob("j1"))?.result).toBe(JSON.stringify(result));
  });
});

describe("a refusal", () => {
  test.each([400, 401, 403, 405, 409, 410, 413, 418, 422, 451])("with %d is final and says why", async (status) => {
    const server = await platform((response) => send(response, status, { error: { code: "nope", message: "not so" } }));
    const one = client(server.url);
    for (const call of [one.submitJob(SUBMISSION, "k"), one.getJob("j1"), one.cancelJob("j1")]) {
      const error = await failure(call);
      expect(error.code).toBe("SECUTOOLS_REFUSED");
      expect(error.message).toContain(`${status} nope: not so`);
    }
    expect(server.requests).toHaveLength(3);
  });

  test("of a submission can be a 404, and hints at the address", async () => {
    const server = await platform((response) => send(response, 404, "<p>nothing here"));
    const error = await failure(client(server.url).submitJob(SUBMISSION, "k"));
    expect(error).toMatchObject({ code: "SECUTOOLS_REFUSED", hint: expect.stringContaining("SECUTOOLS_URL") });
    expect(error.message).toMatch(/404$/);
  });

  test("for the key hints at it", async () => {
    const server = await platform((response) => send(response, 401));
    expect((await failure(client(server.url).getJob("j1"))).hint).toContain("SECUTOOLS_API_KEY");
  });

  test("is told in one short line, whatever the platform sends to a terminal", async () => {
    const message = `\u001b[31mred\u001b[0m\r\n\tand\u2028more \u202e ${"🙂".repeat(200)}`;
    const server = await platform((response) => send(response, 422, { error: { code: "a\nb", message } }));
    const error = await failure(client(server.url).getJob("j1"));
    expect(error.message).toContain("422 a b: ");
    expect(error.message).toMatch(/…$/);
    // encodeURIComponent takes no half of a pair.
    expect(encodeURIComponent(error.message)).toContain("%F0%9F%99%82");
  });

  test("never repeats the key", async () => {
    const server = await platform((response) => send(response, 401, { error: { code: KEY, message: `bad: ${KEY}` } }));
    expect((await failure(client(server.url).submitJob(SUBMISSION, "k"))).message).toContain("401 [key]: bad: [key]");
  });

  test("counts even when its body does not end", async () => {
    const server = await platform((response) => void response.writeHead(422).write('{"error":'));
    const error = await failure(client(server.url, { timeoutMs: 100 }).submitJob(SUBMISSION, "k"));
    expect(error.code).toBe("SECUTOOLS_REFUSED");
    expect(server.requests).toHaveLength(1);
  });

  test("is not read to its end when it has none", async () => {
    const server = await platform((response) => {
      response.writeHead(400);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(64 * 1024)));
      };
      response.on("drain", more);
      more();
    });
    expect((await failure(client(server.url).getJob("j1"))).code).toBe("SECUTOOLS_REFUSED");
    await until("the request is cut", () => server.inFlight.now === 0);
  });
});

describe("the key", () => {
  test("does not show in the client", () => {
    const one = client("http://127.0.0.1:9");
    expect(inspect(one, { depth: null, showHidden: true })).not.toContain(KEY);
    expect(JSON.stringify(one)).not.toContain(KEY);
  });

  const ECHOED = 'a/b+c=="d\\e<k';

  test.each<[string, (text: string) => string]>([
    ["as it is", (text) => text],
    ["with slashes escaped, as PHP does", (text) => text.replaceAll("/", "\\/")],
    ["with what HTML reads escaped, as Go does", (text) => text.replaceAll("<", "\\u003c")],
    ["the same, as Gson does", (text) => text.replaceAll("=", "\\u003d").replaceAll("<", "\\u003C")],
  ])("is taken out of all that the platform says, %s", async (_how, escaped) => {
    const answer = (value: object) => escaped(JSON.stringify(value));
    const server = await platform((response, index) => {
      const said = `I was called with Bearer ${ECHOED}.`;
      if (index === 0)
        send(response, 200, answer({ ...JOB, result: said, model: said, error: { code: said, message: said } }));
      else if (index === 1) send(response, 200, answer({ ...JOB, result: { [said]: [said] } }));
      else if (index === 2) send(response, 200, answer({ ...JOB, status: said, [said]: said }));
      else send(response, 400, answer({ error: { code: said, message: said } }));
    });
    const one = client(server.url, { apiKey: ECHOED });
    const hidden = "I was called with Bearer [key].";
    expect(await one.getJob("j1")).toMatchObject({
      ...{ result: hidden, model: hidden, error: { code: hidden, message: hidden } },
    });
    expect(JSON.parse((await one.getJob("j1"))?.result ?? "")).toEqual({ [hidden]: [hidden] });
    expect((await failure(one.getJob("j1"))).message).not.toContain(ECHOED);
    expect((await failure(one.getJob("j1"))).message).toContain(`400 ${hidden}: ${hidden}`);
  });

  test("is no id of a job either", async () => {
    const server = await platform((response) => send(response, 201, { id: KEY, status: "queued" }));
    expect((await failure(client(server.url).submitJob(SUBMISSION, "k"))).code).toBe("SECUTOOLS_BAD_ANSWER");
  });

  test.each(["", "two words", "line\n", "ключ"])("cannot be %j, which is not repeated", (apiKey) => {
    const make = () => new Secutools({ url: "http://127.0.0.1:9", apiKey, concurrency: 1 });
    expect(make).toThrow(expect.objectContaining({ code: "SECUTOOLS_NOT_CONFIGURED" }));
    if (apiKey !== "") expect(make).not.toThrow(apiKey);
  });

  test.each(["", "secutools.example", "ftp://x/", "file:///etc", "https://", "http://u:p4ss@:x"])(
    "needs an address: %j is none, and is not repeated",
    (url) => {
      const make = () => new Secutools({ url, apiKey: KEY, concurrency: 1 });
      expect(make).toThrow(expect.objectContaining({ code: "SECUTOOLS_NOT_CONFIGURED" }));
      expect(make).not.toThrow("p4ss");
    },
  );
});
