import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { Hono } from "hono";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { TaskEvents } from "../../src/core/events.ts";
import { EventStreams } from "../../src/server/event-streams.ts";
import { LiveEvents } from "../../src/server/live-events.ts";
import { type ServedApi, serveApi } from "../helpers/served-api.ts";
import { until } from "../helpers/until.ts";

const task = { project: "/p/site", name: "fix.md" };

let tasks: TaskEvents;
let events: LiveEvents;
let errors: unknown[];

beforeEach(() => {
  tasks = new TaskEvents();
  errors = [];
  events = new LiveEvents({ tasks, onError: (error) => errors.push(error) });
});

/** Follows the events: what has come so far, and the response. */
async function follow(api: ServedApi): Promise<{ readonly response: IncomingMessage; text(): string }> {
  const asked = request(`${api.server.url}/api/events`, { agent: false });
  asked.on("error", () => {});
  onTestFinished(() => void asked.destroy());
  asked.end();
  const response = await new Promise<IncomingMessage>((resolve) => asked.once("response", resolve));
  let text = "";
  response.on("data", (chunk: Buffer) => (text += chunk.toString()));
  response.on("error", () => {});
  return { response, text: () => text };
}

test("what happens is told as it happens, in words and as data", async () => {
  const api = await serveApi({ events });
  const { response, text } = await follow(api);
  expect(response.headers).toMatchObject({ "content-type": "text/event-stream", "cache-control": "no-store" });
  await until("the beginning", async () => text() === "retry: 3000\n\n");
  tasks.emit({ task, id: "abc", type: "attention", session: "s1", what: "a question\nof two lines", screen: "?" });
  events.hold({ kind: "limit", sinceMs: 0, untilMs: 60_000, message: "reached" });
  events.hold(null);
  const hold = {
    kind: "limit",
    since: "1970-01-01T00:00:00.000Z",
    until: "1970-01-01T00:01:00.000Z",
    message: "reached",
  };
  await until("three events", async () => text().split("\n\n").length === 5);
  const [, first = "", ...rest] = text().split("\n\n");
  const at = /"at":"([^"]+)"/.exec(first)?.[1] ?? "";
  expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(10_000);
  const told = {
    at,
    id: "abc",
    task: "site/fix.md",
    type: "attention",
    text: "needs attention in s1: a question of two lines",
  };
  expect(first).toBe(`event: task\ndata: ${JSON.stringify(told)}`);
  expect(rest).toEqual([`event: hold\ndata: ${JSON.stringify({ hold })}`, 'event: hold\ndata: {"hold":null}', ""]);
});

test("who has nothing to tell shows that it lives", async () => {
  const api = await serveApi({ events, streams: new EventStreams({ heartbeatMs: 20 }) });
  const { text } = await follow(api);
  await until("three heartbeats", async () => text().split("\n\n").length > 4);
  expect(text()).toMatch(/^retry: 3000\n\n(?::\n\n)+$/);
});

describe("a client", () => {
  test("that goes leaves nothing behind, and others hear on", async () => {
    const streams = new EventStreams({ heartbeatMs: 20 });
    const api = await serveApi({ events, streams });
    const clients = await Promise.all([follow(api), follow(api), follow(api)]);
    expect({ watchers: events.watchers, open: streams.open }).toEqual({ watchers: 3, open: 3 });
    clients[0]?.response.destroy();
    await until("two watchers", async () => events.watchers === 2 && streams.open === 2);
    tasks.emit({ task, id: "abc", type: "updated" });
    await until("the event", async () => clients.slice(1).every(({ text }) => text().includes('"updated"')));
    for (const { response } of clients) response.destroy();
    await until("no watcher", async () => events.watchers === 0 && streams.open === 0);
    tasks.emit({ task, id: "abc", type: "updated" });
    expect([...errors, ...api.errors]).toEqual([]);
  });

  test("that is there when the server stops leaves nothing behind either", async () => {
    const streams = new EventStreams();
    const api = await serveApi({ events, streams });
    const { response } = await follow(api);
    await api.server.stop();
    await until("no watcher", async () => events.watchers === 0 && streams.open === 0);
    await until("the end of the answer", async () => response.destroyed);
    expect(api.errors).toEqual([]);
  });

  test("that asks for the headers alone is not waited for", async () => {
    const streams = new EventStreams();
    const api = await serveApi({ events, streams });
    const { status, headers } = await api.ask("/api/events", { method: "HEAD" });
    expect({ status, type: headers["content-type"] }).toEqual({ status: 200, type: "text/event-stream" });
    expect({ watchers: events.watchers, open: streams.open }).toEqual({ watchers: 0, open: 0 });
  });

  test("is refused when there are too many, until one goes", async () => {
    const streams = new EventStreams({ max: 2 });
    const api = await serveApi({ events, streams });
    const first = await follow(api);
    await follow(api);
    expect(await api.says("/api/events")).toBe("503 EVENTS_LIMITED");
    expect({ watchers: events.watchers, open: streams.open }).toEqual({ watchers: 2, open: 2 });
    first.response.destroy();
    await until("a place", async () => streams.open === 1);
    const next = await follow(api);
    expect(next.response.statusCode).toBe(200);
    expect(api.errors).toEqual([]);
  });

  test("that does not read is let go, and nothing is kept for it", async () => {
    const streams = new EventStreams({ maxUnreadBytes: 100_000 });
    const api = await serveApi({ events, streams });
    const socket = connect(Number(new URL(api.server.url).port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.write("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until("a watcher", async () => events.watchers === 1);
    socket.pause();
    const reader = await follow(api);
    const what = "x".repeat(50_000);
    await until("one watcher only", async () => {
      tasks.emit({ task, id: "abc", type: "attention", session: "s1", what, screen: "" });
      return events.watchers === 1;
    });
    expect(streams.open).toBe(1);
    tasks.emit({ task, id: "abc", type: "updated" });
    await until("the other to hear it all", async () => reader.text().includes('"updated"'));
    expect([...errors, ...api.errors]).toEqual([]);
  });
});

test("a listener that fails harms neither the queue nor the other listeners", () => {
  const heard: string[] = [];
  events.subscribe(() => {
    throw new Error("broken");
  });
  const end = events.subscribe((event) => heard.push(event.kind));
  tasks.emit({ task, id: "abc", type: "updated" });
  events.hold(null);
  end();
  events.hold(null);
  expect(heard).toEqual(["task", "hold"]);
  expect(errors).toHaveLength(3);
});

test("a subscription that is ended while it begins is ended", async () => {
  const streams = new EventStreams({ maxUnreadBytes: 100 });
  let isEnded = false;
  const page = new Hono();
  page.get("/", (context) =>
    streams.answer(context, (send) => {
      send({ event: "", data: "x".repeat(200) });
      send({ event: "", data: "y" });
      return () => {
        isEnded = true;
      };
    }),
  );
  const response = await page.request("/");
  expect(await response.text()).toBe(`retry: 3000\n\ndata: ${"x".repeat(200)}\n\n`);
  expect({ isEnded, open: streams.open }).toEqual({ isEnded: true, open: 0 });
});
