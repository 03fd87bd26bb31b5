import { describe, expect, onTestFinished, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { type TaskEvent, TaskEvents } from "../../src/core/events.ts";
import { FOREVER_MS, type Hold } from "../../src/core/verdict.ts";
import { newsOf, newsOfHold, notification } from "../../src/notify/notification.ts";
import { Notifier, type NotifierOptions } from "../../src/notify/notifier.ts";

const TASK = { task: { project: "/srv/site", name: "fix.md" }, id: "kabcdefghi" } as const;
const SPENT = { durationMs: 61_234.5, model: "opus", tokens: { input: 10, output: 20 }, costUsd: 0.25 };
const ABOUT = { id: "kabcdefghi", task: "site/fix.md", project: "/srv/site", path: null };
const NOTHING = { task: null, session: null, provider: null, reason: null, message: null, spent: null, hold: null };
const REFUSED = "secutools would not take it: secutools did not take the job: 503 unavailable: try again later";
const FELL_BACK = { route: "local", reason: REFUSED } as const;
const REST = { delivery: "d", at: "2026-03-04T05:06:07.000Z", workspace: "default", host: "here-1" };

describe("the news", () => {
  test("of a task that is done: where it is now, what it took, and that the platform would not take it", () => {
    const path = "/srv/site/.agent-queue/done/fix.md";
    expect(newsOf({ ...TASK, type: "done", decision: FELL_BACK, by: "ccl-auto-11", path, spent: SPENT })).toEqual({
      ...NOTHING,
      event: "done",
      text: `site/fix.md: done after 1 min 1 s; now ${path}`,
      task: { ...ABOUT, path },
      session: "ccl-auto-11",
      reason: REFUSED,
      spent: { duration_ms: 61_235, model: "opus", tokens: { input: 10, output: 20 }, cost_usd: 0.25 },
    });
  });

  test("of one that failed on the platform: why, the provider and why that one, and what is known of its cost", () => {
    const path = "/srv/site/.agent-queue/failed/fix.md";
    const spent = { durationMs: -3, model: null, tokens: null, costUsd: null };
    const reason = "SECUTOOLS_JOB_FAILED: out of memory\non two lines";
    const decision = { route: "delegated", provider: "gpu", reason: "complexity_hint is low" } as const;
    expect(newsOf({ ...TASK, type: "failed", decision, by: "gpu", path, reason, spent })).toEqual({
      ...NOTHING,
      event: "failed",
      text: `site/fix.md: failed: SECUTOOLS_JOB_FAILED: out of memory on two lines; now ${path}`,
      task: { ...ABOUT, path },
      provider: "gpu",
      reason: "complexity_hint is low",
      message: reason,
      spent: { duration_ms: 0, model: null, tokens: null, cost_usd: null },
    });
  });

  test("of a file that is no task: it has failed, and never had an id", () => {
    const path = "/srv/site/.agent-queue/failed/fix.md";
    expect(newsOf({ ...TASK, id: "", type: "rejected", reason: "there is no text", path })).toEqual({
      ...NOTHING,
      event: "failed",
      text: `site/fix.md: rejected: there is no text; now ${path}`,
      task: { ...ABOUT, id: null, path },
      message: "TASK_INVALID: there is no text",
    });
  });

  test("of an agent that needs a person: which session, and nothing of its screen", () => {
    const event = { ...TASK, type: "attention", session: "ccl-auto-12", what: "the login", screen: "s3cret" } as const;
    expect(newsOf(event)).toEqual({
      ...NOTHING,
      event: "attention",
      text: "site/fix.md: needs attention in ccl-auto-12: the login",
      task: ABOUT,
      session: "ccl-auto-12",
      message: "the login",
    });
  });

  test.each<TaskEvent>([
    { ...TASK, type: "seen", isAgain: false, warnings: [] },
    { ...TASK, type: "updated" },
    { ...TASK, type: "cancelled", decision: null, byCommand: true },
    { ...TASK, type: "routed", decision: { route: "local", reason: "x" } },
    { ...TASK, type: "launched", session: "s", model: "m", run: "r" },
    { ...TASK, type: "submitted", session: "s", run: "r" },
    { ...TASK, type: "retrying", session: "s", reason: "x", delayMs: 1 },
    { ...TASK, type: "held", session: "s", reason: "x", untilMs: 1 },
    { ...TASK, type: "delegated", provider: "gpu", remote: "x" },
  ])("do not tell of a task that is $type", (event) => {
    expect(newsOf(event)).toBeNull();
  });
});

describe("the news of a hold", () => {
  const hold: Hold = { kind: "limit", sinceMs: 0, untilMs: 60_000, message: "5-hour limit\nreached" };

  test("say why, and until when", () => {
    expect(newsOfHold(hold)).toEqual({
      ...NOTHING,
      event: "hold",
      text: "the pool is held until 1970-01-01T00:01:00.000Z, then one task goes first: the usage limit is reached (5-hour limit reached)",
      message: "5-hour limit\nreached",
      hold: {
        kind: "limit",
        since: "1970-01-01T00:00:00.000Z",
        until: "1970-01-01T00:01:00.000Z",
        message: "5-hour limit\nreached",
      },
    });
  });

  test("of a person have no end", () => {
    const { text, hold: told } = newsOfHold({ ...hold, kind: "manual", untilMs: FOREVER_MS, message: "lunch" });
    expect(told).toMatchObject({ kind: "manual", until: null, message: "lunch" });
    expect(text).toBe("the pool is held until somebody resumes it: lunch");
  });

  test("say when it is over", () => {
    expect(newsOfHold(null)).toEqual({ ...NOTHING, event: "hold", text: "the pool is no longer held" });
  });
});

describe("what others have written", () => {
  const told = (reason: string) => newsOf({ ...TASK, type: "rejected", reason, path: "/x" });

  test("is cut, between two characters", () => {
    const news = told("🙂".repeat(9_000));
    expect([...(news?.text ?? "")]).toHaveLength(500);
    expect(news?.text).toMatch(/^site\/fix\.md: rejected: (?:🙂)+…$/u);
    expect([...(news?.message ?? "")]).toHaveLength(2_000);
    expect(news?.message).toMatch(/^TASK_INVALID: (?:🙂)+…$/u);
    const fits = "x".repeat(2_000 - "TASK_INVALID: ".length);
    expect(told(fits)?.message).toBe(`TASK_INVALID: ${fits}`);
  });

  test("in a reason is cut too", () => {
    const over = { decision: { route: "local", reason: `\u001b${"x".repeat(2_001)}` }, by: "s", path: "/x" } as const;
    expect(newsOf({ ...TASK, ...over, type: "done", spent: SPENT })?.reason).toBe(`${"x".repeat(1_999)}…`);
  });

  test("moves no cursor: line breaks are left, other control characters are not", () => {
    expect(told("a\u001b[2J\u0007\r\n\u009bb\tc")?.message).toBe("TASK_INVALID: a[2J\nbc");
  });

  test("in a file's name stands in the name's own place as it is, whatever it is made of", () => {
    const name = "$(x) `x` <!channel> \u001b[2J.md";
    const news = newsOf({ ...TASK, task: { project: "/srv/site", name }, type: "rejected", reason: "x", path: "/x" });
    expect(news?.task?.task).toBe(`site/${name}`);
    expect(news?.text).toBe("site/$(x) `x` <!channel> [2J.md: rejected: x; now /x");
  });
});

test("news have the described form, and nothing beside it", () => {
  const over = { decision: FELL_BACK, by: "s", path: "/x", spent: SPENT };
  const news = { ...REST, ...newsOf({ ...TASK, ...over, type: "done" }) };
  expect(notification.parse(news)).toEqual(news);
  const hold = { ...REST, ...newsOfHold({ kind: "login", sinceMs: 0, untilMs: FOREVER_MS, message: "x" }) };
  expect(notification.parse(hold)).toEqual(hold);
});

test("what an older daemon has left in the queue is still told: it did not say the reason", () => {
  const { reason, ...older } = { ...REST, ...newsOfHold(null) };
  expect(notification.parse(older)).toEqual({ ...older, reason });
});

describe("the notifier", () => {
  /** Nobody answers there: whoever asks Redis anything meets an error. */
  const options = (notify: Partial<NotifierOptions["notify"]>, errors: unknown[] = []): NotifierOptions => ({
    address: { socket: "/nowhere/redis.sock" },
    ...{ workspace: "default", host: "here-1", stateDir: "/nowhere", environment: {}, retentionMs: 1_000 },
    notify: {
      webhook: null,
      webhookSecret: null,
      command: null,
      on: ["done", "failed", "attention", "hold"],
      ...notify,
    },
    events: new TaskEvents(),
    now: Date.now,
    onError: (error) => errors.push(error),
  });

  test.each([{}, { webhookSecret: "alone" }])("is off with %j: it asks nothing of Redis", async (notify) => {
    const errors: unknown[] = [];
    const given = options(notify, errors);
    const notifier = new Notifier(given);
    onTestFinished(async () => await notifier.stop());
    await notifier.start();
    given.events.emit({ ...TASK, type: "rejected", reason: "x", path: "/x" });
    notifier.hold(null);
    await notifier.stop();
    expect(errors).toEqual([]);
  });

  test("may be stopped before its start and again, and told what nobody hears", async () => {
    const errors: unknown[] = [];
    const notifier = new Notifier(options({ command: ["true"] }, errors));
    notifier.hold(null);
    await notifier.stop();
    await notifier.stop();
    expect(errors).toEqual([]);
  });

  test("refuses a webhook without a secret, and says what to do", () => {
    const url = "https://hooks.example/T0KEN";
    const make = () => new Notifier(options({ webhook: url }));
    expect(make).toThrow(QueueError);
    expect(make).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: "notify.webhook is set, and CCL_QUEUE_WEBHOOK_SECRET is not",
        hint: expect.stringContaining("long random text"),
      }),
    );
  });
});
