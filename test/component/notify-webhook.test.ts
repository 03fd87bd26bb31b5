import { describe, expect, onTestFinished, test } from "vitest";
import { newsOf, notification } from "../../src/notify/notification.ts";
import { Webhook } from "../../src/notify/webhook.ts";
import { until } from "../helpers/until.ts";
import { type Answer, type Receiver, startReceiver } from "../helpers/webhook-receiver.ts";

const SECRET = "it's 32 characters, and a ümlaut";
const NOW_MS = Date.parse("2026-03-04T05:06:07.890Z");
const NEVER = new AbortController().signal;

const told = notification.parse({
  ...newsOf({
    type: "rejected",
    task: { project: "/p/site", name: "a “b”.md" },
    id: "",
    reason: "no text",
    path: "/x",
  }),
  ...{ delivery: "d1-webhook", at: "2026-03-04T05:06:07.000Z", workspace: "default", host: "here-1" },
});

async function receiverOf(...answers: readonly Answer[]): Promise<Receiver> {
  const receiver = await startReceiver(...answers);
  onTestFinished(async () => await receiver.close());
  return receiver;
}

function webhookAt(url: string, timeoutMs = 5_000): Webhook {
  const webhook = new Webhook({ url, secret: SECRET, now: () => NOW_MS, timeoutMs });
  onTestFinished(async () => await webhook.close());
  return webhook;
}

describe("a call", () => {
  test("is one POST of the notification to the whole URL, and says whose and which it is", async () => {
    const receiver = await receiverOf(200);
    expect(await webhookAt(receiver.url).deliver(told, NEVER)).toEqual({ kind: "delivered" });
    expect(receiver.calls).toHaveLength(1);
    const [call] = receiver.calls;
    expect(call).toMatchObject({ method: "POST", path: "/hooks/T0KEN?key=s3cret" });
    expect(JSON.parse(call?.body ?? "")).toEqual(told);
    expect(call?.headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": "ccl-queue",
      "x-ccl-queue-event": "failed",
      "x-ccl-queue-delivery": "d1-webhook",
      "x-ccl-queue-timestamp": "1772600767",
    });
  });

  test("has a signature that another implementation finds right, and that no other body or time has", async () => {
    const receiver = await receiverOf(200);
    await webhookAt(receiver.url).deliver(told, NEVER);
    const [call] = receiver.calls;
    const body = call?.body ?? "";
    const timestamp = call?.headers["x-ccl-queue-timestamp"];
    const signature = call?.headers["x-ccl-queue-signature"];
    expect(signature).toBe(`sha256=${await hmac(`${timestamp}.${body}`)}`);
    expect(signature).not.toBe(`sha256=${await hmac(body)}`);
  });
});

/** The HMAC as WebCrypto has it. */
async function hmac(text: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", Buffer.from(SECRET), algorithm, false, ["sign"]);
  return Buffer.from(await crypto.subtle.sign("HMAC", key, Buffer.from(text))).toString("hex");
}

describe("an answer", () => {
  test.each([200, 201, 204, 299])("of %i means delivered", async (status) => {
    const receiver = await receiverOf(status);
    expect(await webhookAt(receiver.url).deliver(told, NEVER)).toEqual({ kind: "delivered" });
  });

  test.each([300, 304, 408, 429, 500, 503])("of %i means that it is tried again", async (status) => {
    const receiver = await receiverOf(status);
    const why = `it answered ${status}`;
    expect(await webhookAt(receiver.url).deliver(told, NEVER)).toEqual({ kind: "again", why });
  });

  test.each([400, 401, 404, 410, 451])("of %i means that it is not", async (status) => {
    const receiver = await receiverOf(status);
    const why = `it answered ${status}`;
    expect(await webhookAt(receiver.url).deliver(told, NEVER)).toEqual({ kind: "refused", why });
  });

  test("that leads elsewhere is not followed", async () => {
    const elsewhere = await receiverOf(200);
    const receiver = await receiverOf({ redirect: elsewhere.url });
    const why = "it answered 307";
    expect(await webhookAt(receiver.url).deliver(told, NEVER)).toEqual({ kind: "again", why });
    expect([receiver.calls.length, elsewhere.calls.length]).toEqual([1, 0]);
  });

  test("that does not come is waited for until the time is over", async () => {
    const receiver = await receiverOf("never");
    const why = "not over within 100 ms";
    expect(await webhookAt(receiver.url, 100).deliver(told, NEVER)).toEqual({ kind: "again", why });
    await until("the call is broken off", () => receiver.brokenOff() === 1);
  });

  test("is no longer waited for once the daemon stops", async () => {
    const receiver = await receiverOf("never");
    const stop = new AbortController();
    const delivery = webhookAt(receiver.url).deliver(told, stop.signal);
    await until("it was called", () => receiver.calls.length === 1);
    stop.abort(new Error("stopped"));
    expect(await delivery).toEqual({ kind: "again", why: "stopped" });
  });
});

test("a call that the daemon's stop has come before is not made", async () => {
  const receiver = await receiverOf(200);
  expect(await webhookAt(receiver.url).deliver(told, AbortSignal.abort(new Error("stopped")))).toEqual({
    kind: "again",
    why: "stopped",
  });
  expect(receiver.calls).toEqual([]);
});

test("nobody there: it is tried again, and only the origin is named", async () => {
  const receiver = await startReceiver(200);
  await receiver.close();
  const webhook = webhookAt(receiver.url);
  const delivery = await webhook.deliver(told, NEVER);
  expect(delivery).toMatchObject({ kind: "again", why: expect.stringContaining("ECONNREFUSED") });
  expect(webhook.where).toBe(receiver.origin);
  expect(JSON.stringify([delivery, webhook.where])).not.toMatch(/T0KEN|s3cret/);
});
