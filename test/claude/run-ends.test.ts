import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, type TestContext, test } from "vitest";
import { VERSIONS } from "../../scripts/setup/claude.js";
import { type ModelRequest, type Reply, startModelServer } from "../helpers/model-server.ts";
import { type RealQueue, type RealQueueOptions, startRealQueue } from "../helpers/real-queue.ts";
import { until } from "../helpers/until.ts";

const TIMEOUT_MS = 60_000;
/** Longer than the queue's own poll and settling: what has not happened by then was not about to happen. */
const QUIET_MS = 3_000;
const GO_ON = "This session was interrupted before the task above was finished.";
/** Claude Code itself asks ten times, for three minutes. */
const FEW_RETRIES = { CLAUDE_CODE_MAX_RETRIES: "1" };
/** The time of a reset is told in words, in the zone of the machine. */
const SUBSCRIPTION = {
  ANTHROPIC_API_KEY: null,
  CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-not-a-token-0000000000000000",
  TZ: "UTC",
};
const HOUR_MS = 3_600_000;

const text = (words: string): Reply => ({ kind: "text", text: words });
const failing = (status: number, headers: Record<string, string> = {}): Reply => ({ kind: "error", status, headers });
const tool = (name: string, input: Record<string, unknown>): Reply => ({ kind: "tool", name, input });

// One that is not installed fails its tests.
describe.each(VERSIONS)("Claude Code %s", { concurrent: true }, (version) => {
  async function start(
    { onTestFinished }: TestContext,
    options: Omit<RealQueueOptions, "version">,
  ): Promise<RealQueue> {
    const real = await startRealQueue({ version, limits: "attempts: 2, backoff: 100ms", ...options });
    onTestFinished(() => real.stop());
    return real;
  }

  test("a refused key holds the pool, and a probe goes first when the time is over", async (context) => {
    let clockMs = Date.now();
    let isRefused = true;
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const real = await start(context, {
      sessions: 2,
      env: FEW_RETRIES,
      now: () => clockMs,
      reply: async () => {
        if (isRefused) return failing(401);
        await answered;
        return text("Now it works.");
      },
    });
    const { queue } = real;
    await queue.drop("first.md", "The first task.\n");
    expect(await real.event("held")).toMatchObject({ reason: expect.stringMatching(/^RUN_UNAUTHORISED: /) });
    expect(queue.holds).toMatchObject([{ kind: "login", untilMs: clockMs + 5 * 60_000 }]);
    await queue.drop("second.md", "The second task.\n");
    const before = real.asked();
    await sleep(QUIET_MS);
    expect(real.asked()).toEqual(before);
    expect(await queue.names("inbox")).toEqual(["first.md", "second.md"]);
    expect(await queue.names("failed")).toEqual([]);

    isRefused = false;
    clockMs += 5 * 60_000 + 1;
    await real.event("submitted", 2);
    await sleep(QUIET_MS);
    expect(queue.events.filter(({ type }) => type === "launched")).toHaveLength(2);
    answer();
    expect(await queue.settled("done", 2, TIMEOUT_MS)).toEqual(["first.md", "second.md"]);
    expect(queue.holds.slice(1)).toEqual([null]);
    expect(await queue.read("done", "first.md")).toContain("\n| attempts | 1 |\n");
    expectResumed(real.asked(), "The first task.\n");
  });

  test.for([
    ["an account's limit", SUBSCRIPTION, "five_hour", 2 * HOUR_MS],
    ["an account's weekly limit", SUBSCRIPTION, "seven_day", 70 * HOUR_MS],
    ["a key's limit", {}, "five_hour", null],
  ] as const)("%s holds the pool, with nothing left that could wake up", async ([_, env, claim, leftMs], context) => {
    let offsetMs = 0;
    let isLimited = true;
    const resetMs = Math.ceil((Date.now() + (leftMs ?? HOUR_MS)) / 60_000) * 60_000;
    const headers = {
      "retry-after": "3600",
      "anthropic-ratelimit-unified-status": "rejected",
      "anthropic-ratelimit-unified-reset": String(resetMs / 1_000),
      "anthropic-ratelimit-unified-representative-claim": claim,
    };
    const real = await start(context, {
      env,
      now: () => Date.now() + offsetMs,
      reply: () => (isLimited ? failing(429, headers) : text("The limit is over.")),
    });
    const { queue } = real;
    await queue.drop("limited.md", "Work.\n");
    const held = await real.event("held");
    expect(held.reason).toMatch(/^RUN_LIMITED: /);
    // Claude Code tells nobody when a key's limit resets.
    const expectedMs = leftMs === null ? Date.now() + 15 * 60_000 : resetMs + 60_000;
    expect(Math.abs(held.untilMs - expectedMs)).toBeLessThan(leftMs === null ? TIMEOUT_MS : 1);
    expect(queue.holds).toMatchObject([{ kind: "limit", untilMs: held.untilMs }]);
    expect(await queue.names("inbox")).toEqual(["limited.md"]);
    expect(await queue.names("failed")).toEqual([]);
    await until("nothing of the run is left", async () => (await real.inRuns()).length === 0);
    await until("the pane is an idle shell", async () => /^(ba|da|z)?sh$/.test(await real.command()));
    const before = real.asked().length;
    await sleep(QUIET_MS);
    expect(real.asked()).toHaveLength(before);
    // Nobody has edited the file that was given back.
    expect(queue.events.map(({ type }) => type)).not.toContain("updated");

    isLimited = false;
    offsetMs = held.untilMs - Date.now() + 1;
    expect(await queue.settled("done", 1, TIMEOUT_MS)).toEqual(["limited.md"]);
    expect(await queue.read("done", "limited.md")).toContain("\n| attempts | 1 |\n");
    expect(queue.holds.slice(1)).toEqual([null]);
    expectResumed(real.asked(), "Work.\n");
  });

  test("an overloaded API costs an attempt, and the next goes on in the same session", async (context) => {
    let isOverloaded = true;
    const real = await start(context, {
      env: FEW_RETRIES,
      reply: () => (isOverloaded ? failing(529) : text("Better.")),
    });
    real.queue.app.events.on(({ type }) => {
      if (type === "retrying") isOverloaded = false;
    });
    await real.queue.drop("again.md", "Work.\n");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["again.md"]);
    expect(await real.event("retrying")).toMatchObject({ reason: expect.stringMatching(/^RUN_API_ERROR: .*529/) });
    expect(await real.queue.read("done", "again.md")).toContain("\n| attempts | 2 |\n");
    expectResumed(real.asked(), "Work.\n");
  });

  test("an API that stays overloaded uses up the attempts", async (context) => {
    const real = await start(context, { env: FEW_RETRIES, reply: () => failing(529) });
    await real.queue.drop("never.md", "Work.\n");
    expect(await real.queue.settled("failed", 1, TIMEOUT_MS)).toEqual(["never.md"]);
    const written = await real.queue.read("failed", "never.md");
    expect(written).toMatch(/\n\| error \| RUN_API_ERROR: server_error: .*529/);
    expect(written).toContain("\n| attempts | 2 |\n");
    expect(real.queue.holds).toEqual([]);
  });

  test("an API that nobody answers for costs an attempt", async (context) => {
    const real = await start(context, {
      env: FEW_RETRIES,
      limits: "attempts: 2, backoff: 2s",
      reply: () => text("Never said."),
    });
    await real.model.close();
    await real.queue.drop("refused.md", "Work.\n");
    expect(await real.event("retrying")).toMatchObject({ reason: expect.stringMatching(/^RUN_API_ERROR: /) });
    const back = await startModelServer({ port: Number(new URL(real.model.url).port), reply: () => text("Back.") });
    context.onTestFinished(() => back.close());
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["refused.md"]);
    const written = await real.queue.read("done", "refused.md");
    expect(written).toContain("\n| attempts | 2 |\n");
    expect(written).toContain("\n> Back.\n");
    const texts = back.requests.find(({ side }) => !side)?.texts;
    expect(texts?.[0]).toMatch(/^\[run \w+-1\]\nWork\.\s*$/);
    expect(texts?.at(-1)).toContain(GO_ON);
  });

  test("a killed agent's task goes on in the same session", async (context) => {
    const real = await start(context, {
      reply: (request) => {
        if (request.prompt.includes(GO_ON)) return text("I went on.");
        const command = { command: "echo begun", description: "Begin" };
        return request.toolResults.length === 0 ? tool("Bash", command) : { kind: "hang" };
      },
    });
    await real.queue.drop("killed.md", "Work.\n");
    const { run } = await real.event("launched");
    await until("the model was asked again", () => real.asked().length > 1, TIMEOUT_MS);
    const { sessionId } = real.asked()[0] ?? { sessionId: "" };
    // Claude Code writes its transcript a little later than it asks.
    const transcript = real.home.transcriptFile(real.queue.project, sessionId);
    await until("the result is kept", async () => (await readFile(transcript, "utf8")).includes('"tool_result"'));
    process.kill(await real.agent(run), "SIGKILL");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["killed.md"]);
    expect(await real.event("retrying")).toMatchObject({ reason: expect.stringMatching(/^RUN_CRASHED: .*137/) });
    const written = await real.queue.read("done", "killed.md");
    expect(written).toContain("\n| attempts | 2 |\n");
    expect(written).toContain("\n> I went on.\n");
    expectResumed(real.asked(), "Work.\n");
  });

  test("an agent that is killed before it wrote anything down begins anew", async (context) => {
    let run = "";
    const real = await start(context, {
      reply: async () => {
        if (!run.endsWith("-1")) return text("I did it.");
        process.kill(await real.agent(run), "SIGKILL");
        return { kind: "hang" };
      },
    });
    real.queue.app.events.on((event) => {
      if (event.type === "launched") run = event.run;
    });
    await real.queue.drop("killed.md", "Work.\n");
    expect(await real.event("retrying")).toMatchObject({ reason: expect.stringMatching(/^RUN_CRASHED: .*137/) });
    const over = await until(
      "the task is over",
      () => real.queue.events.find(({ type }) => type === "done" || type === "failed"),
      TIMEOUT_MS,
    );
    expect(over).toMatchObject({ type: "done" });
    const written = await real.queue.read("done", "killed.md");
    expect(written).toContain("\n| attempts | 2 |\n");
    expect(written).toContain("\n> I did it.\n");
    expect(real.asked().at(-1)?.texts[0]).toMatch(/^\[run \w+-[12]\]\nWork\.\s*$/);
  });

  test("an agent that a person interrupts is left to that person, and goes on with what is typed", async (context) => {
    const real = await start(context, {
      reply: ({ prompt }) => (prompt.includes("go on") ? text("I went on.") : { kind: "hang" }),
    });
    await real.queue.drop("escape.md", "Work.\n");
    await until("the model was asked", () => real.asked().length > 0, TIMEOUT_MS);
    await real.press("Escape");
    expect(await real.event("attention")).toMatchObject({ what: "somebody interrupted the agent" });
    expect(await real.queue.names("inbox")).toEqual(["escape.md.dispatched"]);
    expect(await real.inRuns()).toContain("claude");
    await real.press("go on");
    await until("it stands on the screen", async () => (await real.screen()).includes("go on"));
    await real.press("Enter");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["escape.md"]);
    const written = await real.queue.read("done", "escape.md");
    expect(written).toContain("\n| attempts | 1 |\n");
    expect(written).toContain("\n> I went on.\n");
    expect(real.queue.events.filter(({ type }) => type === "launched")).toHaveLength(1);
    expect(await real.inRuns()).not.toContain("claude");
  });

  test("an agent that a person ends is not started again", async (context) => {
    const real = await start(context, {
      reply: ({ toolResults }) =>
        toolResults.length === 0 ? tool("Bash", { command: "echo begun", description: "Begin" }) : { kind: "hang" },
    });
    await real.queue.drop("exit.md", "Work.\n");
    await until("the model was asked again", () => real.asked().length > 1, TIMEOUT_MS);
    await real.press("Escape");
    await until("it is interrupted", async () => (await real.screen()).includes("Interrupted"), TIMEOUT_MS);
    await real.press("/exit");
    await until("it stands on the screen", async () => (await real.screen()).includes("/exit"));
    await real.press("Enter");
    expect(await real.queue.settled("failed", 1, TIMEOUT_MS)).toEqual(["exit.md"]);
    const written = await real.queue.read("failed", "exit.md");
    expect(written).toContain("\n| error | RUN_INTERRUPTED: somebody ended the agent in its session |\n");
    expect(written).toContain("\n| attempts | 1 |\n");
    expect(real.asked()).toHaveLength(2);
  });

  test("a directory that nobody has trusted opens no dialog, whatever it brings", async (context) => {
    const real = await start(context, { reply: () => text("Trusted.") });
    const { project } = real.queue;
    const proof = join(project, "hook-ran");
    await mkdir(join(project, ".claude"));
    const hooks = { SessionStart: [{ hooks: [{ type: "command", command: `touch '${proof}'` }] }] };
    await writeFile(
      join(project, ".claude", "settings.json"),
      JSON.stringify({ hooks, permissions: { allow: ["Bash(ls:*)"] } }),
    );
    await writeFile(join(project, "CLAUDE.md"), "Words of the project.\n");
    await real.queue.drop("untrusted.md", "Work.\n");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["untrusted.md"]);
    expect(real.queue.events.map(({ type }) => type)).not.toContain("attention");
    expect(await readFile(proof, "utf8")).toBe("");
    expect(JSON.stringify(real.asked()[0]?.body)).toContain("Words of the project.");
  });

  test("a subagent that outlives its agent's turn is waited for", async (context) => {
    let endedAtMs = Number.POSITIVE_INFINITY;
    const real = await start(context, {
      reply: async (request) => {
        if (request.prompt === "Help me.") {
          await sleep(QUIET_MS);
          endedAtMs = Date.now();
          return text("I helped.");
        }
        if (isNotified(request)) return text("My helper is done.");
        if (request.toolResults.length > 0) return text("I have a helper.");
        const input = { description: "A helper", prompt: "Help me.", subagent_type: "general-purpose" };
        return tool("Agent", { ...input, ...(version === "2.1.197" ? {} : { run_in_background: true }) });
      },
    });
    await real.queue.drop("helped.md", "Work.\n");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["helped.md"]);
    const last = version === "2.1.197" ? "I have a helper." : "My helper is done.";
    expect(await real.queue.read("done", "helped.md")).toContain(`\n> ${last}\n`);
    expect(real.asked().at(-1)?.at).toBeGreaterThanOrEqual(endedAtMs);
    expect((await real.event("done")).spent.durationMs).toBeGreaterThan(QUIET_MS);
  });

  test("a command that outlives its agent's turn is waited for", async (context) => {
    const real = await start(context, {
      reply: (request) => {
        if (isNotified(request)) return text("The command is over.");
        if (request.toolResults.length > 0) return text("The command runs.");
        const command = `sleep ${QUIET_MS / 1_000}; date +%s%3N > over`;
        return tool("Bash", { command, description: "A command", run_in_background: true });
      },
    });
    await real.queue.drop("background.md", "Work.\n");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["background.md"]);
    expect(await real.queue.read("done", "background.md")).toContain("\n> The command is over.\n");
    expect(real.asked()).toHaveLength(3);
    const overMs = Number(await readFile(join(real.queue.project, "over"), "utf8"));
    expect(real.asked().at(-1)?.at).toBeGreaterThanOrEqual(overMs);
  });

  test("a command that ends together with its agent's turn is told of before the task is over", async (context) => {
    const delaysMs = [600, 700, 750, 800, 850, 900];
    const real = await start(context, {
      reply: async (request) => {
        if (isNotified(request)) return text("The command is over.");
        if (request.toolResults.length === 0)
          return tool("Bash", { command: "sleep 0.8", description: "A command", run_in_background: true });
        await sleep(Number(/\d+$/m.exec(request.prompt)?.[0]));
        return text("The command runs.");
      },
    });
    for (const [index, delayMs] of delaysMs.entries()) {
      await real.queue.drop(`${delayMs}.md`, `Wait for ${delayMs}\n`);
      await real.queue.settled("done", index + 1, TIMEOUT_MS);
      const ofTask = real.asked().filter(({ texts }) => texts.some((words) => words.includes(`for ${delayMs}`)));
      const isTold = ofTask.some(isNotified);
      const last = isTold ? "The command is over." : "The command runs.";
      expect(await real.queue.read("done", `${delayMs}.md`)).toContain(`\n> ${last}\n`);
    }
  });

  test("a dialog before the prompt is left to a person, and the run goes on once it is answered", async (context) => {
    const real = await startWithDialog(context, "attempts: 2");
    await real.queue.drop("dialog.md", "Work.\n");
    expect(await real.event("attention")).toMatchObject({
      what: "the dialog for external CLAUDE.md imports",
      screen: expect.stringContaining("Allow external CLAUDE.md file imports?"),
    });
    expect(real.asked()).toEqual([]);
    // The one version begins on "No", the other on "Yes".
    if (!(await isOnYes(real))) await real.press("Down");
    await until("Yes is chosen", () => isOnYes(real));
    await real.press("Enter");
    expect(await real.queue.settled("done", 1, TIMEOUT_MS)).toEqual(["dialog.md"]);
    expect(await real.queue.read("done", "dialog.md")).toContain("\n| attempts | 1 |\n");
    expect(JSON.stringify(real.asked()[0]?.body)).toContain("Words from outside.");
  });

  test("a dialog that nobody answers ends the run with what stood on the screen", async (context) => {
    const real = await startWithDialog(context, "attempts: 2, attention_timeout: 3s");
    await real.queue.drop("dialog.md", "Work.\n");
    expect(await real.queue.settled("failed", 1, TIMEOUT_MS)).toEqual(["dialog.md"]);
    const written = await real.queue.read("failed", "dialog.md");
    expect(written).toMatch(/\n\| error \| RUN_BLOCKED: nobody answered the agent's dialog within \d/);
    expect(written).toMatch(/\n> .*Allow external CLAUDE\.md file imports\?/);
    expect(real.asked()).toEqual([]);
    expect(await real.inRuns()).not.toContain("claude");
  });

  async function startWithDialog(context: TestContext, limits: string): Promise<RealQueue> {
    const real = await start(context, { limits, promptTimeout: "10s", reply: () => text("Done.") });
    const outside = join(real.queue.dir, "outside.md");
    await writeFile(outside, "Words from outside.\n");
    await writeFile(join(real.queue.project, "CLAUDE.md"), `See @${outside}\n`);
    return real;
  }
});

/** The later requests are of the first one's session and hold the task's prompt and, last, what it goes on with. */
function expectResumed(requests: readonly ModelRequest[], prompt: string): void {
  const [first] = requests;
  const resumed = requests.find(({ texts }) => texts.at(-1)?.includes(GO_ON));
  expect(first?.sessionId).toMatch(/^[0-9a-f-]{36}$/);
  expect(resumed?.sessionId).toBe(first?.sessionId);
  expect(first?.prompt).toMatch(/^\[run \w+-1\]\n/);
  expect(first?.prompt.endsWith(`]\n${prompt}`)).toBe(true);
  // A resumed message may have more line breaks at its end.
  expect(resumed?.texts[0]?.trimEnd()).toBe(first?.prompt.trimEnd());
  expect(resumed?.prompt).toMatch(/^\[run \w+-2\]\n/);
}

/** Whether Claude Code has told the model of something that went on in the background. */
function isNotified({ body }: ModelRequest): boolean {
  return JSON.stringify(body["messages"]).includes("<task-notification>");
}

async function isOnYes({ screen }: RealQueue): Promise<boolean> {
  return /❯ (1\. )?Yes/.test(await screen());
}
