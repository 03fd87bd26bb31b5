import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { type Answer, SUBMISSION, send } from "../helpers/hostile-platform.ts";
import { until } from "../helpers/until.ts";
import { KEY, RETRY, useSecutools } from "../helpers/use-secutools.ts";

const { platform, client, failure } = useSecutools();
const MIB = 1024 * 1024;
const JOB = { id: "j1", status: "running" };

describe("an answer that makes no sense", () => {
  const nested = (depth: number) =>
    `{"id":"j1","status":"completed","result":${"[".repeat(depth)}${"]".repeat(depth)}}`;

  test.each<[string, unknown]>([
    ["HTML", "<!doctype html><p>One moment"],
    ["nothing", ""],
    ["cut off", '{"id":"j1","sta'],
    ["null", "null"],
    ["a list", []],
    ["without a status", { id: "j1" }],
    ["without an id", { status: "running" }],
    ["an unknown status", { id: "j1", status: "sleeping" }],
    ["another job", { id: "j2", status: "running" }],
    ["an id that is a number", { id: 1, status: "running" }],
    ["a cost that is text", { ...JOB, cost_usd: "0.1" }],
    ["a cost below zero", { ...JOB, cost_usd: -1 }],
    ["half of the usage", { ...JOB, usage: { input_tokens: 1 } }],
    ["an error that is text", { ...JOB, error: "no" }],
    ["a result nested a little too deep", nested(33)],
    ["a result nested beyond any stack", nested(1_000_000)],
    ["binary", Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]).toString("latin1")],
  ])("to get: %s", async (_what, body) => {
    const server = await platform((response) => send(response, 200, body));
    const error = await failure(client(server.url).getJob("j1"));
    expect(error.code).toBe("SECUTOOLS_BAD_ANSWER");
    expect(server.requests).toHaveLength(1);
  });

  test("is one level deeper than what is taken", async () => {
    const server = await platform((response) => send(response, 200, nested(32)));
    expect((await client(server.url).getJob("j1"))?.result).toContain("[");
  });

  test.each<[string, unknown]>([
    ["HTML", "<p>Created"],
    ["no id", { status: "queued" }],
    ["an id that leads elsewhere", { id: "../x", status: "queued" }],
    ["an id of two dots", { id: "..", status: "queued" }],
    ["an id that is too long", { id: "x".repeat(129), status: "queued" }],
    ["an unknown status", { id: "j1", status: "" }],
  ])("to submit, which is tried again with the same key: %s", async (_what, body) => {
    const server = await platform((response) => send(response, 201, body));
    const error = await failure(client(server.url).submitJob(SUBMISSION, "k-1"));
    expect(error.code).toBe("SECUTOOLS_BAD_ANSWER");
    expect(server.requests.map(({ headers }) => headers["idempotency-key"])).toEqual(["k-1", "k-1", "k-1"]);
  });

  test("names what is wrong", async () => {
    const server = await platform((response, index) =>
      send(response, 200, index === 0 ? { id: "j1", status: "sleeping" } : "<p>"),
    );
    const one = client(server.url);
    expect((await failure(one.getJob("j1"))).message).toContain("status: ");
    expect((await failure(one.getJob("j1"))).message).toContain("not JSON");
  });

  test.each([301, 302, 303, 307, 308])("is a redirect with %d: nobody follows it with the key", async (status) => {
    const thief = await platform((response) => send(response, 200, JOB));
    const server = await platform((response) =>
      send(response, status, "", { location: `${thief.url}/api/v1/jobs/j1` }),
    );
    const one = client(server.url);
    for (const call of [one.getJob("j1"), one.submitJob(SUBMISSION, "k"), one.cancelJob("j1")]) {
      const error = await failure(call);
      expect(error.code).toBe("SECUTOOLS_BAD_ANSWER");
      expect(error.message).toContain(String(status));
    }
    expect(thief.requests).toEqual([]);
    expect(server.requests).toHaveLength(3);
  });
});

describe("an answer that is too large", () => {
  test("is refused by its declared length, before it comes", async () => {
    const server = await platform((response) => {
      response.writeHead(200, { "content-length": String(200 * MIB) }).flushHeaders();
    });
    const error = await failure(client(server.url).getJob("j1"));
    expect(error).toMatchObject({ code: "SECUTOOLS_BAD_ANSWER", message: expect.stringContaining("too large") });
    await until("the request is cut", () => server.inFlight.now === 0);
  });

  test("is cut off where it says nothing of its length", async () => {
    const chunk = Buffer.alloc(MIB, " ");
    let sentMib = 0;
    const server = await platform((response) => {
      response.writeHead(200);
      const more = () => {
        for (;;) {
          if (response.destroyed || sentMib >= 200) return;
          sentMib += 1;
          if (!response.write(chunk)) return;
        }
      };
      response.on("drain", more);
      more();
    });
    const error = await failure(client(server.url).getJob("j1"));
    expect(error).toMatchObject({ code: "SECUTOOLS_BAD_ANSWER", message: expect.stringContaining("too large") });
    await until("the request is cut", () => server.inFlight.now === 0);
    // What the sockets hold between the two comes on top.
    expect(sentMib).toBeLessThan(60);
  });

  test("has more than 16 MiB", async () => {
    const frame = Buffer.byteLength(JSON.stringify({ id: "j1", status: "completed", result: "" }));
    const text = (bytes: number) =>
      JSON.stringify({ id: "j1", status: "completed", result: "x".repeat(bytes - frame) });
    const server = await platform((response, index) => {
      // Without a declared length.
      response.writeHead(200).write(text(16 * MIB + index));
      response.end();
    });
    const one = client(server.url);
    expect((await one.getJob("j1"))?.result).toHaveLength(16 * MIB - frame);
    expect((await failure(one.getJob("j1"))).code).toBe("SECUTOOLS_BAD_ANSWER");
  });
});

describe("a platform that cannot be reached", () => {
  test.each<[string, Answer]>([
    ["never answers", () => {}],
    ["answers with half a header and waits", (response) => void response.socket?.write("HTTP/1.1 200 OK\r\nx: ")],
    ["dribbles a header", (response) => dribble(response.socket, "HTTP/1.1 200 OK\r\nx: ")],
    ["dribbles interim answers", (response) => dribble(response.socket, "", "HTTP/1.1 102 Processing\r\n\r\n")],
    ["stops in mid-answer", (response) => void response.writeHead(200).write('{"id":')],
    ["dribbles its answer", (response) => dribble(response.writeHead(200), '{"id":"')],
  ])("%s: it is given up on in time", async (_what, answer) => {
    const server = await platform(answer);
    const error = await failure(client(server.url, { timeoutMs: 150 }).getJob("j1"));
    expect(error).toMatchObject({ code: "SECUTOOLS_UNREACHABLE", message: expect.stringContaining("150 ms") });
    await until("the request is cut", () => server.inFlight.now === 0);
  });

  test.each<[string, Answer]>([
    ["hangs up", (response) => void response.destroy()],
    ["hangs up in mid-answer", (response) => void response.writeHead(200).write('{"id":', () => response.destroy())],
    [
      "sends less than it said",
      (response) => void response.socket?.end("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}"),
    ],
    ["does not speak HTTP", (response) => void response.socket?.end("SSH-2.0-OpenSSH_9.6\r\n")],
    ["switches protocols", (response) => void response.socket?.end("HTTP/1.1 101 Hi\r\nupgrade: x\r\n\r\n")],
    ["has endless headers", (response) => void response.socket?.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(99_999)}`)],
    ["repeats the key where it stands", (response) => void response.socket?.end(`HTTP/1.1 200 OK\r\n${KEY}\r\n\r\n`)],
  ])("%s", async (_what, answer) => {
    const server = await platform(answer);
    expect((await failure(client(server.url).getJob("j1"))).code).toBe("SECUTOOLS_UNREACHABLE");
    expect(server.requests).toHaveLength(1);
  });

  test.each(["127.0.0.1", "localhost"])("%s has nobody listening", async (host) => {
    const server = await platform(() => {});
    const { port } = new URL(server.url);
    await server.close();
    const error = await failure(client(`http://${host}:${port}`).getJob("j1"));
    expect(error).toMatchObject({ code: "SECUTOOLS_UNREACHABLE", message: expect.stringContaining("ECONNREFUSED") });
  });

  test("speaks no TLS", async () => {
    const server = await platform(() => {});
    const error = await failure(client(server.url.replace("http:", "https:")).getJob("j1"));
    expect(error.code).toBe("SECUTOOLS_UNREACHABLE");
  });

  test("takes the connection and nothing else", async () => {
    const sockets = new Set<{ destroy(): void }>();
    const server = createServer((socket) => {
      sockets.add(socket.pause());
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const huge = { ...SUBMISSION, prompt: "x".repeat(32 * MIB) };
    const one = client(`http://127.0.0.1:${port}`, { timeoutMs: 200, retry: { ...RETRY, attempts: 1 } });
    const error = await failure(one.submitJob(huge, "k"));
    expect(error.code).toBe("SECUTOOLS_UNREACHABLE");
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

/** Writes a piece every few milliseconds, for as long as somebody listens. */
function dribble(to: NodeJS.WritableStream | null, start: string, piece = "x"): void {
  if (to === null) return;
  to.write(start);
  const timer = setInterval(() => to.write(piece), 10);
  to.on("close", () => clearInterval(timer));
  to.on("error", () => clearInterval(timer));
}
