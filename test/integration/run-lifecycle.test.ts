import { rmSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { isAlive } from "../../src/workers/process.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const TWO_ATTEMPTS = "attempts: 2, backoff: 100ms";
const SHORT_WAITS = { limits: "attempts: 1, attention_timeout: 2s", promptTimeout: "2s" } as const;

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");

async function fails(prompt: string, error: string | RegExp, options: FixtureOptions = {}): Promise<string> {
  queue = await startQueue({ sessions: 1, ...options });
  await queue.drop("task.md", prompt);
  await queue.settled("failed", 1, 30_000);
  const written = await queue.read("failed", "task.md");
  const [, row = ""] = /^\| error \| (.*) \|$/m.exec(written) ?? [];
  expect(row).toMatch(error);
  await sessionServesAgain();
  return written;
}

/** Whatever happened in a session, the next task runs in it. */
async function sessionServesAgain(): Promise<void> {
  await queue.drop("next.md", "next\n");
  expect(await queue.settled("done", 1, 20_000)).toContain("next.md");
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
}

const runDir = async () => {
  const [run = ""] = await readdir(join(queue.config.stateDir, "runs"));
  return join(queue.config.stateDir, "runs", run);
};

describe("before the prompt", () => {
  test("a start that takes 20 s is waited for", async () => {
    queue = await startQueue({ promptTimeout: "30s" });
    await queue.drop("slow.md", "agent: start 20s\n");
    expect(await queue.settled("done", 1, 40_000)).toEqual(["slow.md"]);
    expect(queue.events.filter(({ type }) => type === "attention")).toEqual([]);
  }, 60_000);

  test("an agent that never gets ready needs attention, and fails when nobody comes", async () => {
    await fails(
      "agent: start 10m\n",
      /^RUN_BLOCKED: nobody answered the agent's dialog within 2\.\d s \(claude\.attention_timeout\)$/,
      SHORT_WAITS,
    );
    const [event] = queue.events.filter((each) => each.type === "attention");
    expect(event).toMatchObject({ what: "something that is not known stands before the prompt" });
  });

  test("a dialog is told by its name with its screen, its session is kept, and no key is pressed", async () => {
    const dialog = "agent: dialog Quick safety check: Is this a project you created or one you trust?\n";
    const written = await fails(dialog, "RUN_BLOCKED", SHORT_WAITS);
    const [event] = queue.events.filter((each) => each.type === "attention");
    expect(event).toMatchObject({ what: "the folder trust dialog", session: "ccl-auto-11" });
    expect(written).toMatch(/^> .*❯.*No, exit/m);
    expect((await starts()).length).toBe(2);
  });

  test("other sessions go on while one waits for a person, and the person's answer lets it go on", async () => {
    queue = await startQueue({ sessions: 2, promptTimeout: "1s" });
    await queue.drop("asks.md", "agent: work 1s\nagent: ask Which colour?\n");
    const event = await until("it asks", () => queue.events.find((each) => each.type === "attention"), 20_000);
    expect(event).toMatchObject({
      what: "the agent asks (dialog open)",
      screen: expect.stringContaining("Which colour?"),
    });
    await queue.drop("other.md", "other\n");
    expect(await queue.settled("done", 1)).toEqual(["other.md"]);
    expect(await queue.names("inbox")).toEqual(["asks.md.dispatched"]);
    await queue.tmux("send-keys", "-t", `=${event.session}:`, "Escape");
    await queue.tmux("send-keys", "-t", `=${event.session}:`, "agent: say Blue it is.", "Enter");
    expect(await queue.settled("done", 2, 20_000)).toEqual(["asks.md", "other.md"]);
    expect(await queue.read("done", "asks.md")).toContain("> Blue it is.");
  }, 60_000);

  test("a prompt that is swallowed is tried again in a new session of Claude Code", async () => {
    await fails("agent: swallow\n", /^RUN_NOT_SUBMITTED: the agent took no prompt within/, {
      limits: TWO_ATTEMPTS,
      promptTimeout: "1s",
    });
    const [first, second] = await starts();
    expect(first?.session).not.toBe(second?.session);
    expect(await queue.read("failed", "task.md")).toContain("| attempts | 2 |");
  });

  test("a crash before the prompt is tried again, and the session rests meanwhile", async () => {
    await fails("agent: early 7\n", "RUN_CRASHED: the agent ended with exit code 7 before it was finished", {
      limits: TWO_ATTEMPTS,
    });
    expect(queue.events.filter(({ type }) => type === "retrying")).toHaveLength(1);
  });
});

describe("in mid-turn", () => {
  test.each([
    ["a crash", "agent: exit 3\n"],
    ["an end with code 0 and no Stop", "agent: exit 0\n"],
    ["a kill", "agent: die\n"],
    ["an end whose Stop was lost", "agent: lost\n"],
    ["an API error", "agent: fail server_error 529 Overloaded\n"],
  ])("after %s the same Claude session goes on, and the work is done on the second attempt", async (_what, prompt) => {
    queue = await startQueue({ sessions: 1, limits: TWO_ATTEMPTS });
    await queue.drop("task.md", `first\n${prompt}`);
    expect(await queue.settled("done", 1, 20_000)).toEqual(["task.md"]);
    const [first, second] = await submits();
    expect(second?.session).toBe(first?.session);
    expect(second?.firstLine).toMatch(/^This session was interrupted/);
    expect(await queue.read("done", "task.md")).toContain("| attempts | 2 |");
  });

  test("an error that stays however often one asks is not tried again", async () => {
    const error = "RUN_API_ERROR: model_not_found: no such model";
    await fails("agent: fail model_not_found no such model\n", error, { limits: TWO_ATTEMPTS });
    expect(queue.events.filter(({ type }) => type === "retrying")).toEqual([]);
  });

  test("a hang without events is ended after the task's own timeout, with what it has started, and tried again", async () => {
    queue = await startQueue({ sessions: 1, limits: TWO_ATTEMPTS });
    await queue.drop("task.md", "---\ntimeout: 2s\n---\nagent: spawn child.pid\nagent: hang\n");
    const retrying = await until("it is tried again", () => queue.events.find(({ type }) => type === "retrying"));
    expect(retrying).toMatchObject({
      reason: expect.stringMatching(
        /^RUN_TIMED_OUT: .* no sign of life for \d\.\d s \(the task's timeout, or else claude\.timeout\)$/,
      ),
    });
    const child = Number(await readFile(join(queue.project, "child.pid"), "utf8"));
    const [{ pid = 0 } = {}] = await starts();
    expect([pid, child].filter((each) => isAlive({ pid: each, startTime: null }))).toEqual([]);
    expect(await queue.settled("done", 1, 20_000)).toEqual(["task.md"]);
    expect(await queue.read("done", "task.md")).toContain("| attempts | 2 |");
  });

  test("a hang on the last attempt fails, with what stood on the screen", async () => {
    const written = await fails(
      "---\ntimeout: 1s\n---\nagent: hang\n",
      /^RUN_TIMED_OUT: the agent showed no sign of life for \d\.\d s \(the task's timeout, or else claude\.timeout\)$/,
    );
    expect(written).toContain("hanging");
    const [{ pid = 0 } = {}] = await starts();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  describe("when the attempt that goes on dies before its session is there", () => {
    const THREE_ATTEMPTS = "attempts: 3, backoff: 500ms";
    const sessions = () => join(queue.dir, "claude", "sessions");

    /** The first attempt crashes, and the second as well: by what is done after the first. The third can work. */
    async function dropTask(afterFirst: () => void, afterSecond = () => {}): Promise<void> {
      queue = await startQueue({ sessions: 1, limits: THREE_ATTEMPTS });
      queue.app.events.on(({ type }) => {
        if (type !== "retrying") return;
        if (queue.events.filter((event) => event.type === type).length === 1) return afterFirst();
        afterSecond();
        writeFileSync(join(queue.project, "go"), "");
      });
      await queue.drop("task.md", "first\nagent: needs go\n");
      expect(await queue.settled("done", 1, 20_000)).toEqual(["task.md"]);
      expect(await queue.read("done", "task.md")).toContain("| attempts | 3 |");
    }

    test("the next one goes on in the same Claude session", async () => {
      const noStatusFile = () => {
        rmSync(sessions(), { recursive: true });
        writeFileSync(sessions(), "");
      };
      await dropTask(noStatusFile, () => rmSync(sessions()));
      expect(await starts()).toHaveLength(3);
      const [first, second] = await submits();
      expect(second?.session).toBe(first?.session);
      expect(second?.firstLine).toMatch(/^This session was interrupted/);
    });

    test("the next one begins anew if there is no such session any more", async () => {
      await dropTask(() => rmSync(join(queue.dir, "claude", "projects"), { recursive: true }));
      const [first, second, third] = await starts();
      expect(second?.session).toBe(first?.session);
      expect(third?.session).not.toBe(first?.session);
      expect((await submits()).map(({ firstLine }) => firstLine)).toEqual(["first", "first"]);
    });
  });

  test("somebody's /exit ends the task: it is not tried again", async () => {
    queue = await startQueue({ sessions: 1, limits: TWO_ATTEMPTS });
    await queue.drop("left.md", "agent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    await queue.tmux("send-keys", "-t", "=ccl-auto-11:", "/exit", "Enter");
    await queue.settled("failed", 1);
    expect(await queue.read("failed", "left.md")).toContain("RUN_INTERRUPTED: somebody ended the agent in its session");
    await sessionServesAgain();
  });

  test("a running task whose claim is removed is cancelled: its agent is ended, and nothing is left", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("cancelled.md", "agent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    await rm(join(queue.project, ".agent-queue", "inbox", "cancelled.md.dispatched"));
    await until("it is cancelled", () => queue.events.some(({ type }) => type === "cancelled"));
    const [{ pid = 0 } = {}] = await starts();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    await sessionServesAgain();
    expect(await queue.names("failed")).toEqual([]);
  });

  test("the session is killed: at most this attempt is repeated, in a session made anew", async () => {
    queue = await startQueue({ sessions: 1, limits: TWO_ATTEMPTS });
    await queue.drop("task.md", "agent: work 1500ms\n");
    await until("it works", async () => (await submits()).length === 1);
    await queue.tmux("kill-session", "-t", "=ccl-auto-11");
    expect(await queue.settled("done", 1, 20_000)).toEqual(["task.md"]);
    expect(await submits()).toHaveLength(2);
  });

  test("the tmux server is killed: all tasks are done in the end, none more than twice", async () => {
    queue = await startQueue({ sessions: 3, limits: TWO_ATTEMPTS });
    const names = ["a.md", "b.md", "c.md", "d.md"];
    for (const name of names) await queue.drop(name, "agent: work 1500ms\n");
    await until("three work", async () => (await submits()).length === 3);
    await queue.tmux("kill-server");
    expect(await queue.settled("done", 4, 30_000)).toEqual(names);
    expect(await submits()).toHaveLength(7);
  }, 60_000);
});

describe("events that say nothing about the run", () => {
  test("half a file, one twice, and those of another session change nothing", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("task.md", "agent: work 2s\nagent: say The true end.\n");
    await until("it works", async () => (await submits()).length === 1);
    const events = join(await runDir(), "events");
    const kept = async () => (await readdir(events)).filter((name) => name.endsWith(".json")).sort();
    const [first = "", second = ""] = await until("it is told", async () =>
      (await kept()).length === 2 ? kept() : null,
    );
    await copyFile(join(events, first), join(events, "1-1.json"));
    await copyFile(join(events, second), join(events, "1-4.json"));
    await writeFile(join(events, "1-2.json"), '{"hook_event_name":"Stop","session_');
    const foreign = { ...JSON.parse(await readFile(join(events, first), "utf8")), session_id: "another" };
    const stop = { ...foreign, hook_event_name: "Stop", last_assistant_message: "A false end.", background_tasks: [] };
    await writeFile(join(events, ".1-3"), JSON.stringify(stop));
    await rename(join(events, ".1-3"), join(events, "1-3.json"));
    expect(await queue.settled("done", 1)).toEqual(["task.md"]);
    expect(await queue.read("done", "task.md")).toContain("> The true end.");
    expect(await submits()).toHaveLength(1);
  });
});

describe("when the account may not go on", () => {
  const clock = { ms: 0 };
  const HOUR_MS = 3_600_000;

  test("100 waiting tasks and a usage limit: no more launches than busy sessions, no attempt used, all done after the reset", async () => {
    clock.ms = Date.now();
    queue = await startQueue({ sessions: 5, workMs: 1, now: () => clock.ms, limits: TWO_ATTEMPTS });
    const resetsAt = Math.round((clock.ms + 2 * HOUR_MS) / 1_000);
    await mkdir(join(queue.dir, "claude"), { recursive: true });
    const limit = join(queue.dir, "claude", "limit.json");
    await writeFile(limit, JSON.stringify({ message: "You've hit your 5-hour limit", resetsAt }));
    const names = Array.from({ length: 100 }, (_, index) => `task-${index}.md`);
    for (const name of names) await queue.drop(name, `${name}\n`);

    await until("all agents are gone", async () => queue.holds.length > 0 && (await idle()));
    const limited = (await starts()).length;
    expect(limited).toBeLessThanOrEqual(5);
    expect(queue.holds.at(-1)).toMatchObject({ kind: "limit", untilMs: resetsAt * 1_000 + 60_000 });
    expect((await queue.names("inbox")).filter((name) => name.endsWith(".md"))).toHaveLength(100);

    clock.ms += HOUR_MS;
    await queue.drop("during.md", "during the hold\n");
    await until("it waits too", () => queue.events.filter(({ type }) => type === "routed").length === 101);
    expect(await starts()).toHaveLength(limited);

    expect(queue.holds).toHaveLength(1);
    clock.ms = resetsAt * 1_000 + 60_001;
    await until("the probe met the limit again", async () => queue.holds.length > 1 && (await idle()));
    expect(await starts()).toHaveLength(limited + 1);

    await rm(limit);
    clock.ms += HOUR_MS;
    expect(await queue.settled("done", 101, 120_000)).toHaveLength(101);
    expect(queue.holds.at(-1)).toBeNull();
    expect(await starts()).toHaveLength(limited + 1 + 101);
    for (const name of [...names, "during.md"]) expect(await queue.read("done", name)).toContain("| attempts | 1 |");
    expect(await queue.names("failed")).toEqual([]);
  }, 180_000);

  test("the end of a run from before the limit lets nothing follow the probe", async () => {
    clock.ms = Date.now();
    queue = await startQueue({ sessions: 2, now: () => clock.ms });
    await queue.drop("before.md", "agent: hang\n");
    await until("it works", async () => (await submits()).length === 1);
    await queue.drop("limited.md", "agent: fail rate_limit You've hit your limit\n");
    const hold = await until("the pool is held", () => queue.holds[0]);
    await until("it waits", async () => (await queue.names("inbox")).includes("limited.md"));
    await queue.drop("probe.md", "---\npriority: critical\n---\nagent: start 10m\n");
    await until("it waits, too", () => queue.events.filter(({ type }) => type === "routed").length === 3);
    clock.ms = hold.untilMs;
    await until("the probe starts", async () => (await starts()).length === 3);
    await rm(join(queue.project, ".agent-queue", "inbox", "before.md.dispatched"));
    await until("the run from before has ended", () => queue.events.some(({ type }) => type === "cancelled"));
    expect(queue.holds).toEqual([hold]);
    expect((await queue.names("inbox")).toSorted()).toEqual(["limited.md", "probe.md.dispatched"]);
  });

  test("a login that fails holds the pool and is tried again by one probe; the hold outlives a restart", async () => {
    clock.ms = Date.now();
    queue = await startQueue({ sessions: 2, now: () => clock.ms });
    await queue.drop("first.md", "agent: fail authentication_failed Please run /login\n");
    const hold = await until("the pool is held", () => queue.holds[0]);
    expect(hold).toMatchObject({ kind: "login", message: "authentication_failed: Please run /login" });
    await queue.drop("second.md", "second\n");
    await until("both wait", async () => (await idle()) && (await queue.names("inbox")).length === 2);

    await queue.app.stop();
    await queue.app.start();
    expect(await starts()).toHaveLength(1);
    clock.ms = hold.untilMs;
    expect(await queue.settled("done", 2, 20_000)).toEqual(["first.md", "second.md"]);
    expect(await queue.read("done", "first.md")).toContain("| attempts | 1 |");
  }, 60_000);

  /** Every session of the pool is an idle shell without a tag. */
  async function idle(): Promise<boolean> {
    const panes = await queue.tmux("list-panes", "-a", "-F", "#{@ccl_run}");
    return panes.split("\n").every((tag) => tag === "");
  }
});
