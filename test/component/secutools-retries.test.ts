import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { Secutools } from "../../src/workers/secutools/client.ts";
import { pauseMs, retryAfterMs } from "../../src/workers/secutools/retry.ts";
import { type Answer, SUBMISSION, send } from "../helpers/hostile-platform.ts";
import { until } from "../helpers/until.ts";
import { RETRY, useSecutools } from "../helpers/use-secutools.ts";

const { platform, client, failure } = useSecutools();
const ACCEPTED = { id: "j1", status: "queued" };
const RUNNING = { id: "j1", status: "running" };
const DONE = { id: "j1", status: "completed", result: "done" };
const SIX = { attempts: 6, baseMs: 1, maxMs: 5 };
/** Longer than any test. */
const LONG_MS = 60_000;

describe("a submission", () => {
  test("is made again, the very same one, until it is taken", async () => {
    const server = await platform((response, index) => {
      if (index === 0) response.destroy();
      else if (index === 1) send(response, 201, "<p>");
      else if (index < 5)
        send(response, [503, 408, 429][index - 2] ?? 0, { error: { code: "busy", message: "later" } });
      else send(response, 200, ACCEPTED);
    });
    expect(await client(server.url, { retry: SIX }).submitJob(SUBMISSION, "k-1")).toEqual(ACCEPTED);
    expect(server.requests).toHaveLength(6);
    const sent = server.requests.map(({ method, body, headers }) => `${method} ${headers["idempotency-key"]} ${body}`);
    expect(new Set(sent)).toEqual(new Set([`POST k-1 ${JSON.stringify(SUBMISSION)}`]));
  });

  test.each([408, 429, 500, 502, 503, 504, 599])(
    "that is answered with %d each time is given up on",
    async (status) => {
      const server = await platform((response) =>
        send(response, status, { error: { code: "busy", message: "later" } }),
      );
      const error = await failure(client(server.url).submitJob(SUBMISSION, "k"));
      expect(error).toMatchObject({
        code: "SECUTOOLS_UNREACHABLE",
        message: expect.stringContaining(`${status} busy: later`),
      });
      expect(server.requests).toHaveLength(RETRY.attempts);
    },
  );

  test("that times out is made again", async () => {
    const server = await platform((response, index) => {
      if (index > 0) send(response, 201, ACCEPTED);
    });
    expect(await client(server.url, { timeoutMs: 100 }).submitJob(SUBMISSION, "k")).toEqual(ACCEPTED);
    expect(server.requests).toHaveLength(2);
  });

  test("comes through a short outage with the pauses that are set unless said otherwise", async () => {
    const server = await platform((response, index) => send(response, index < 2 ? 503 : 201, ACCEPTED));
    const one = new Secutools({ url: server.url, apiKey: "key", concurrency: 1 });
    expect(await one.submitJob(SUBMISSION, "k")).toEqual(ACCEPTED);
    await one.close();
  });
});

test("a cancellation is made again too", async () => {
  const server = await platform((response, index) => (index < 2 ? response.destroy() : send(response, 200)));
  expect(await client(server.url).cancelJob("j1")).toBe(true);
  expect(server.requests.map(({ method }) => method)).toEqual(["DELETE", "DELETE", "DELETE"]);
});

test.each([429, 500])("a question that is answered with %d is asked once", async (status) => {
  const server = await platform((response) => send(response, status));
  expect((await failure(client(server.url).getJob("j1"))).code).toBe("SECUTOOLS_UNREACHABLE");
  expect(server.requests).toHaveLength(1);
});

describe("Retry-After", () => {
  test.each([429, 503])("with %d is waited for", async (status) => {
    const order: string[] = [];
    const server = await platform((response, index, { headers }) => {
      const key = String(headers["idempotency-key"]);
      order.push(key);
      const isFirst = order.filter((other) => other === key).length === 1;
      if (isFirst) send(response, status, "", key === "told" ? { "retry-after": "1" } : {});
      else send(response, 201, { id: `j${index}`, status: "queued" });
    });
    const one = client(server.url);
    await Promise.all([one.submitJob(SUBMISSION, "told"), one.submitJob(SUBMISSION, "free")]);
    expect(order.slice(2)).toEqual(["free", "told"]);
  });

  const NOW = Date.UTC(2026, 0, 1, 12);

  test.each([
    ["", 0],
    ["0", 0],
    ["7", 7_000],
    ["300", 300_000],
    ["301", 300_000],
    ["9".repeat(400), 300_000],
    ["-5", 0],
    ["1.5", 0],
    ["soon", 0],
    ["2027", 300_000],
    ["Thu, 01 Jan 2026 12:00:10 GMT", 10_000],
    ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["Fri, 01 Jan 2027 00:00:00 GMT", 300_000],
    ["Xxx, 99 Yyy 2026 GMT", 0],
    ["Jan 2 2026", 0],
  ])("%j means %d ms", (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms);
  });
});

test.each([
  [1, 0, 500],
  [2, 0, 1_000],
  [5, 0, 8_000],
  [7, 0, 30_000],
  [2_000, 0, 30_000],
  [1, 4_000, 4_500],
])("the pause after try %d is spread from %d to %d ms", (tries, fromMs, toMs) => {
  const pauses = Array.from({ length: 1_000 }, () =>
    pauseMs({ attempts: 9, baseMs: 500, maxMs: 30_000 }, tries, fromMs),
  );
  const tenth = (toMs - fromMs) / 10;
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(fromMs);
  expect(Math.min(...pauses)).toBeLessThan(fromMs + tenth);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(toMs);
  expect(Math.max(...pauses)).toBeGreaterThan(toMs - tenth);
});

describe("waiting for a result", () => {
  test("asks until the job is over", async () => {
    const server = await platform((response, index) => send(response, 200, index < 3 ? RUNNING : DONE));
    const job = await client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS });
    expect(job).toMatchObject(DONE);
    expect(server.requests).toHaveLength(4);
  });

  test.each(["completed", "failed", "cancelled"])("ends with a job that is %s", async (status) => {
    const server = await platform((response) => send(response, 200, { id: "j1", status }));
    const job = await client(server.url).waitForResult("j1", { pollMs: LONG_MS, timeoutMs: LONG_MS });
    expect(job?.status).toBe(status);
  });

  test("ends with null for a job that the platform has lost", async () => {
    const server = await platform((response, index) => send(response, index === 0 ? 200 : 404, RUNNING));
    expect(await client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS })).toBeNull();
  });

  test("ends when its time is over with the job as it stands then", async () => {
    const server = await platform((response, index) =>
      send(response, 200, { id: "j1", status: index === 0 ? "queued" : "running" }),
    );
    const job = await client(server.url).waitForResult("j1", { pollMs: LONG_MS, timeoutMs: 50 });
    expect(job?.status).toBe("running");
    expect(server.requests.length).toBeGreaterThan(1);
  });

  test("asks once when there is no time", async () => {
    const server = await platform((response) => send(response, 200, RUNNING));
    const job = await client(server.url).waitForResult("j1", { pollMs: LONG_MS, timeoutMs: 0 });
    expect(job?.status).toBe("running");
    expect(server.requests).toHaveLength(1);
  });

  test("bears failures between answers, and does not add them up", async () => {
    const server = await platform((response, index) => {
      if (index === 8) send(response, 200, DONE);
      else if (index % 3 === 2) send(response, 200, RUNNING);
      else if (index % 3 === 1) send(response, 503);
      else response.destroy();
    });
    const job = await client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS });
    expect(job?.status).toBe("completed");
    expect(server.requests).toHaveLength(9);
  });

  test("gives up after as many failures in a row as there are tries", async () => {
    const server = await platform((response, index) => send(response, index === 0 ? 200 : 503, RUNNING));
    const wait = client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS });
    expect((await failure(wait)).code).toBe("SECUTOOLS_UNREACHABLE");
    expect(server.requests).toHaveLength(1 + RETRY.attempts);
  });

  test.each<[string, number, string]>([
    ["an answer that makes no sense", 200, "SECUTOOLS_BAD_ANSWER"],
    ["a refusal", 401, "SECUTOOLS_REFUSED"],
  ])("gives up at once after %s", async (_what, status, code) => {
    const server = await platform((response) => send(response, status, "<p>"));
    const wait = client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS });
    expect((await failure(wait)).code).toBe(code);
    expect(server.requests).toHaveLength(1);
  });

  test.each<[string, Answer]>([
    ["from the first question on", () => {}],
    ["in mid-answer", (response) => void response.writeHead(200).write('{"id":')],
    ["in a later question", (response, index) => void (index === 0 && send(response, 200, RUNNING))],
  ])("takes no longer than it may when the platform hangs %s", async (_when, answer) => {
    const server = await platform(answer);
    const startedMs = performance.now();
    const error = await failure(client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: 1_200 }));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_190);
    // A question has 30 s for its headers and as much for the rest, unless said otherwise.
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    expect(error).toMatchObject({
      code: "SECUTOOLS_UNREACHABLE",
      message: expect.stringMatching(/no answer within 1\d{3} ms$/),
    });
    await until("the request is cut", () => server.inFlight.now === 0);
  });

  test("gives its last question a second when the time is over", async () => {
    const server = await platform((response, index) => {
      if (index === 0) send(response, 200, RUNNING);
      else setTimeout(() => send(response, 200, DONE), 300);
    });
    const job = await client(server.url).waitForResult("j1", { pollMs: LONG_MS, timeoutMs: 50 });
    expect(job).toMatchObject(DONE);
  });

  test("may be for longer than a timer can count", async () => {
    const server = await platform((response) => send(response, 200, DONE));
    const job = await client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: 2 ** 32 });
    expect(job).toMatchObject(DONE);
  });

  test("gives up at once when it would have to wait beyond its end", async () => {
    const server = await platform((response) => send(response, 429, "", { "retry-after": "300" }));
    const wait = client(server.url).waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS });
    expect((await failure(wait)).message).toContain("429");
    expect(server.requests).toHaveLength(1);
  });
});

/** Ways to be stuck: what the platform does, and how one knows that it does. */
const hang: Answer = () => {};
const comeBackLater: Answer = (response) => send(response, 503, "", { "retry-after": "300" });

describe("an abort", () => {
  test.each<[string, Answer]>([
    ["in mid-request", hang],
    ["in mid-answer", (response) => void response.writeHead(200).write("{")],
    ["in a pause between tries", comeBackLater],
  ])("ends a submission %s at once, with the signal's reason", async (_when, answer) => {
    const server = await platform(answer);
    const controller = new AbortController();
    const submission = client(server.url).submitJob(SUBMISSION, "k", controller.signal);
    const reason = new Error("enough");
    const ended = expect(submission).rejects.toBe(reason);
    await until("the request is there", () => server.requests.length === 1);
    controller.abort(reason);
    await ended;
    await until("the request is cut", () => server.inFlight.now === 0);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("is an AbortError unless it says otherwise", async () => {
    const server = await platform(hang);
    const controller = new AbortController();
    const ended = expect(client(server.url).getJob("j1", controller.signal)).rejects.toMatchObject({
      name: "AbortError",
    });
    controller.abort();
    await ended;
  });

  test("ends a wait between two questions", async () => {
    const server = await platform((response) => send(response, 200, RUNNING));
    const signal = AbortSignal.timeout(50);
    const wait = client(server.url).waitForResult("j1", { pollMs: LONG_MS, timeoutMs: LONG_MS, signal });
    await expect(wait).rejects.toMatchObject({ name: "TimeoutError" });
    expect(server.requests).toHaveLength(1);
  });

  test("that came before sends nothing", async () => {
    const server = await platform((response) => send(response, 200, DONE));
    const signal = AbortSignal.abort("no");
    const one = client(server.url);
    const calls = [
      one.submitJob(SUBMISSION, "k", signal),
      one.getJob("j1", signal),
      one.cancelJob("j1", signal),
      one.waitForResult("j1", { pollMs: 1, timeoutMs: LONG_MS, signal }),
    ];
    for (const call of calls) await expect(call).rejects.toBe("no");
    expect(server.requests).toEqual([]);
  });

  test("ends a request that waits for its turn, and leaves the turn to the next", async () => {
    const answers: (() => void)[] = [];
    const server = await platform((response) => void answers.push(() => send(response, 200, RUNNING)));
    const one = client(server.url, { concurrency: 1 });
    const controller = new AbortController();
    const first = one.getJob("j1");
    const second = expect(one.getJob("j1", controller.signal)).rejects.toMatchObject({ name: "AbortError" });
    const third = one.getJob("j1");
    await until("the first is there", () => answers.length === 1);
    controller.abort();
    await second;
    answers[0]?.();
    await first;
    await until("the third is there", () => answers.length === 2);
    answers[1]?.();
    await third;
    expect(server.requests).toHaveLength(2);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("does not reach the requests of others", async () => {
    const server = await platform((response, index) => {
      if (index > 0) send(response, 200, RUNNING);
    });
    const one = client(server.url, { concurrency: 1 });
    const controller = new AbortController();
    const aborted = expect(one.getJob("j1", controller.signal)).rejects.toMatchObject({ name: "AbortError" });
    await until("it is there", () => server.requests.length === 1);
    controller.abort();
    await aborted;
    expect(await one.getJob("j1")).toMatchObject(RUNNING);
  });

  test("is listened for no longer than a call takes, and without a warning of many calls", async () => {
    const server = await platform((response) => send(response, 200, RUNNING));
    const { signal } = new AbortController();
    const one = client(server.url, { concurrency: 2 });
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => warnings.push(name);
    process.on("warning", onWarning);
    await Promise.all(Array.from({ length: 20 }, () => one.getJob("j1", signal)));
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("a client that is closed", () => {
  test("ends what is under way: requests, turns, pauses and waits", async () => {
    const server = await platform((response, index, { method }) => {
      if (method === "POST") send(response, 503, "", { "retry-after": "300" });
      else if (index === 0) send(response, 200, RUNNING);
    });
    const one = client(server.url, { concurrency: 1 });
    const wait = one.waitForResult("j1", { pollMs: LONG_MS, timeoutMs: LONG_MS });
    await until("the job was asked about", () => server.requests.length === 1);
    const submission = one.submitJob(SUBMISSION, "k");
    await until("the job was submitted", () => server.requests.length === 2 && server.inFlight.now === 0);
    const calls = [wait, submission, one.getJob("j1"), one.getJob("j1")];
    const ended = Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ name: "AbortError" })));
    await until("another question is open", () => server.inFlight.now === 1);
    await one.close();
    await ended;
    await until("nothing is connected", () => server.connections.open === 0);
    expect(server.requests).toHaveLength(3);
  });

  test("takes no more calls, and may be closed again", async () => {
    const server = await platform((response) => send(response, 200, DONE));
    const one = client(server.url);
    await one.getJob("j1");
    await one.close();
    await one.close();
    await until("the connection that was kept is gone", () => server.connections.open === 0);
    await expect(one.submitJob(SUBMISSION, "k")).rejects.toMatchObject({ name: "AbortError" });
    await expect(one.getJob("j1")).rejects.toMatchObject({ name: "AbortError" });
    expect(server.requests).toHaveLength(1);
  });
});

describe("many requests", () => {
  test("are in flight at once up to the limit, on connections that are kept", async () => {
    const held: (() => void)[] = [];
    const server = await platform((response, index) => {
      held.push(() => send(response, 201, { id: `j${index}`, status: "queued" }));
    });
    const one = client(server.url, { concurrency: 3 });
    const all = Promise.all(Array.from({ length: 30 }, (_, index) => one.submitJob(SUBMISSION, `k${index}`)));
    let answered = 0;
    while (answered < 30) {
      await until("as many as allowed are there", () => held.length === Math.min(3, 30 - answered));
      answered += held.length;
      for (const answer of held.splice(0)) answer();
    }
    expect(new Set((await all).map(({ id }) => id)).size).toBe(30);
    expect(server.inFlight.max).toBe(3);
    expect(server.connections.made).toBe(3);
  });

  test("do not use up their time while they wait for their turn", async () => {
    const server = await platform((response) => {
      setTimeout(() => send(response, 200, RUNNING), 600);
    });
    const one = client(server.url, { concurrency: 1, timeoutMs: 1_500 });
    const jobs = await Promise.all([one.getJob("j1"), one.getJob("j1"), one.getJob("j1")]);
    expect(jobs.map((job) => job?.status)).toEqual(["running", "running", "running"]);
    expect(server.inFlight.max).toBe(1);
  });

  test("give back their turn however they end", async () => {
    const server = await platform((response, index) => {
      if (index % 4 === 0) response.destroy();
      else if (index % 4 === 1) send(response, 422);
      else if (index % 4 === 2) send(response, 200, "<p>");
      else send(response, 200, RUNNING);
    });
    const one = client(server.url, { concurrency: 1 });
    const ends = await Promise.allSettled(Array.from({ length: 12 }, () => one.getJob("j1")));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(server.requests).toHaveLength(12);
  });
});
