import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { jsonLines } from "../helpers/json-lines.ts";

const AGENT = fileURLToPath(new URL("../../demo/agent.js", import.meta.url));
const SESSION = "3f2a9c1e-1111-4222-8333-444455556666";
const EVENTS = ["SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd"];

const json = z.record(z.string(), z.unknown());

let home: string;
let agents: ChildProcess[];

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "demo-agent-")));
  mkdirSync(join(home, "my project"));
  agents = [];
  const append = (file: string) => ({ type: "command", command: `{ cat; echo; } >> "$HOME/${file}"` });
  const hooks = Object.fromEntries(EVENTS.map((event) => [event, [{ hooks: [append("events")] }]]));
  writeFileSync(join(home, "settings.json"), JSON.stringify({ hooks, statusLine: append("status-lines") }));
});

afterEach(async () => {
  for (const agent of agents.filter((each) => each.exitCode === null && each.signalCode === null)) {
    agent.kill("SIGKILL");
    await once(agent, "exit");
  }
  rmSync(home, { recursive: true });
});

/** Starts the agent as the queue would, but with no terminal. */
function start(prompt: string, args = ["--session-id", SESSION]) {
  writeFileSync(join(home, "prompt.md"), prompt);
  const stdin = openSync(join(home, "prompt.md"), "r");
  const given = [
    "--dangerously-skip-permissions",
    ...args,
    "--settings",
    join(home, "settings.json"),
    "--model",
    "opus",
  ];
  const child = spawn(process.execPath, [AGENT, ...given], {
    cwd: join(home, "my project"),
    stdio: [stdin, "pipe", "pipe"],
    env: {
      ...{ PATH: process.env["PATH"], HOME: home, TMUX_PANE: "%7", CLAUDE_CONFIG_DIR: join(home, "config") },
      ...{ CCL_QUEUE_AGENT_LOG: join(home, "log"), CCL_QUEUE_AGENT_WORK_MS: "1" },
    },
  });
  closeSync(stdin);
  agents.push(child);
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    output.stderr += chunk;
  });
  return { child, output, ended: once(child, "close").then(([code, signal]) => code ?? signal) };
}

const linesOf = (file: string) => (existsSync(file) ? jsonLines(readFileSync(file, "utf8"), json) : []);

const events = () => linesOf(join(home, "events"));
const eventNames = () => events().map((event) => event["hook_event_name"]);
const eventOf = (name: string) => events().findLast((event) => event["hook_event_name"] === name);
const witnessed = () => linesOf(join(home, "log"));
const statusFileOf = ({ pid }: ChildProcess) => join(home, "config/sessions", `${pid}.json`);
const transcript = () => linesOf(String(eventOf("SessionStart")?.["transcript_path"]));

/** Waits until the agent says of itself that it is in this status, after an event. */
async function reaches(child: ChildProcess, status: string, event = "Stop") {
  await vi.waitFor(
    () => {
      expect(eventNames()).toContain(event);
      expect(JSON.parse(readFileSync(statusFileOf(child), "utf8"))).toMatchObject({ status });
    },
    { timeout: 4000, interval: 10 },
  );
}

const shows = ({ output }: ReturnType<typeof start>, text: string) =>
  vi.waitFor(() => expect(output.stdout).toContain(text), { timeout: 4000, interval: 10 });

test("a prompt is answered, and the agent stays until it is told to go", async () => {
  const prompt = "[run 1a2b]\n\nHello there\u001b[2J\nwith a second line\n";
  const agent = start(prompt);
  await reaches(agent.child, "idle");

  const cwd = join(home, "my project");
  const message = 'Done, as far as a demo agent can: "Hello there\u001b[2J"';
  const [began, submitted, stopped] = events();
  expect(began).toMatchObject({ session_id: SESSION, cwd, source: "startup", model: "demo-opus" });
  expect(submitted).toMatchObject({ hook_event_name: "UserPromptSubmit", prompt });
  expect(stopped).toMatchObject({ stop_hook_active: false, last_assistant_message: message });
  expect(stopped).toMatchObject({ prompt_id: submitted?.["prompt_id"], background_tasks: [], session_crons: [] });

  const live = JSON.parse(readFileSync(statusFileOf(agent.child), "utf8"));
  expect(live).toMatchObject({ pid: agent.child.pid, sessionId: SESSION, cwd, status: "idle" });
  expect(readdirSync(join(home, "config/sessions"))).toHaveLength(1);

  const project = home.replaceAll(/[^a-zA-Z0-9]/g, "-");
  expect(began?.["transcript_path"]).toBe(join(home, "config/projects", `${project}-my-project`, `${SESSION}.jsonl`));
  const [user, , answer] = transcript();
  expect(user).toMatchObject({ type: "user", message: { role: "user", content: prompt } });
  expect(answer).toMatchObject({ type: "assistant", message: { content: [{ type: "text", text: message }] } });
  expect(answer).toMatchObject({ message: { usage: { cache_read_input_tokens: 1000 }, model: "demo-opus" } });
  const answerIds = transcript()
    .slice(1)
    .map(({ message }) => json.parse(message)["id"]);
  expect(answerIds).toEqual([expect.stringMatching(/^msg_/), answerIds[0]]);
  expect(linesOf(join(home, "status-lines"))).toMatchObject([
    { session_id: SESSION, model: { id: "demo-opus" }, cost: { total_cost_usd: expect.any(Number) } },
  ]);

  agent.child.kill("SIGTERM");
  expect(await agent.ended).toBe(143);
  expect(eventOf("SessionEnd")).toMatchObject({ reason: "other" });
  expect(existsSync(statusFileOf(agent.child))).toBe(false);
  expect(agent.output.stdout).toContain("not Claude");
  expect(agent.output.stdout).not.toContain("\u001b");
});

test("the witness logs each prompt once", async () => {
  const { child } = start("[run 1a2b]\nHello\nagent: work 30ms\n");
  await reaches(child, "idle");
  const log = witnessed();
  expect(log.map(({ event }) => event)).toEqual(["start", "submit", "end"]);
  for (const line of log) {
    expect(line).toMatchObject({ pid: child.pid, pane: "%7", model: "opus", run: "1a2b", session: SESSION });
    expect(line).toMatchObject({
      firstLine: "Hello",
      promptBytes: 34,
      promptSha256: expect.stringMatching(/^[\da-f]{64}$/),
    });
  }
  expect(log[2]).toMatchObject({ cause: "Stop" });
  expect(Number(log[2]?.["at"]) - Number(log[1]?.["at"])).toBeGreaterThanOrEqual(29);
});

test("the lines of a script are done in order", async () => {
  const { child } = start(
    "Please\nagent: write note.txt one\\ntwo\nagent: say All\\nright\r\n  agent: write last.txt x\n",
  );
  await reaches(child, "idle");
  expect(eventOf("Stop")).toMatchObject({ last_assistant_message: "All\nright" });
  expect(readFileSync(join(home, "my project/note.txt"), "utf8")).toBe("one\ntwo\n");
  expect(readdirSync(join(home, "my project")).sort()).toEqual(["last.txt", "note.txt"]);
});

test.each(["../out.txt", "/out.txt", "link/out.txt", ".."])(
  "nothing is written outside the directory: %s",
  async (path) => {
    symlinkSync(home, join(home, "my project/link"));
    const { child } = start(`agent: write ${path} text`);
    await reaches(child, "idle", "StopFailure");
    expect(eventOf("StopFailure")).toMatchObject({ error: "invalid_request" });
    expect(existsSync(join(home, "out.txt"))).toBe(false);
  },
);

describe("a turn that does not end well", () => {
  test("fails, and says when a limit ends", async () => {
    const { child } = start("agent: resets 90s\nagent: fail rate_limit You've hit your 5-hour limit\nagent: say never");
    await reaches(child, "waiting", "StopFailure");
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit", "StopFailure"]);
    expect(eventOf("StopFailure")).toMatchObject({
      error: "rate_limit",
      last_assistant_message: "You've hit your 5-hour limit",
      prompt_id: eventOf("UserPromptSubmit")?.["prompt_id"],
    });
    const { quotaLimits } = transcript().at(-1) as { quotaLimits: { resetsAt: number } };
    expect(quotaLimits.resetsAt - Date.now() / 1000).toBeCloseTo(90, -1);
    expect(witnessed().at(-1)).toMatchObject({ event: "end", cause: "StopFailure" });
  });

  test.each(["agent: dance", "agent: work long"])("fails on a script it cannot read: %s", async (prompt) => {
    const { child } = start(prompt);
    await reaches(child, "idle", "StopFailure");
    expect(eventOf("StopFailure")).toMatchObject({ error: "invalid_request" });
  });

  test("exits without a word", async () => {
    expect(await start("agent: exit 7").ended).toBe(7);
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit"]);
    expect(witnessed().at(-1)).toMatchObject({ event: "end", cause: "exit" });
  });

  test("does its work and tells nobody", async () => {
    expect(await start("agent: lost\nagent: say All right.").ended).toBe(0);
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit"]);
    expect(transcript().at(-1)).toMatchObject({ message: { content: [{ type: "text", text: "All right." }] } });
    expect(witnessed().at(-1)).toMatchObject({ event: "end", cause: "exit" });
  });

  test("leaves a command behind, and says which", async () => {
    expect(await start("agent: spawn child.pid\nagent: exit 7").ended).toBe(7);
    const pid = Number(readFileSync(join(home, "my project/child.pid"), "utf8"));
    expect(process.kill(pid, "SIGKILL")).toBe(true);
  });

  test("dies, and leaves its status file behind", async () => {
    const { child, ended } = start("agent: die");
    expect(await ended).toBe("SIGKILL");
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit"]);
    expect(JSON.parse(readFileSync(statusFileOf(child), "utf8"))).toMatchObject({ status: "busy" });
    expect(witnessed().map(({ event }) => event)).toEqual(["start", "submit"]);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 0],
  ] as const)("hangs until %s", async (signal, code) => {
    const agent = start("agent: hang");
    await shows(agent, "hanging");
    await reaches(agent.child, "busy", "UserPromptSubmit");
    agent.child.kill(signal);
    expect(await agent.ended).toBe(code);
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit", "SessionEnd"]);
    expect(existsSync(statusFileOf(agent.child))).toBe(false);
    expect(witnessed().at(-1)).toMatchObject({ event: "end", cause: signal });
  });

  test("asks, and waits for an answer", async () => {
    const agent = start("agent: ask Which colour?");
    await reaches(agent.child, "waiting", "UserPromptSubmit");
    await shows(agent, "Which colour?");
  });
});

describe("a background task", () => {
  test("outlives the turn", async () => {
    const { child } = start("agent: background 1m");
    await reaches(child, "shell");
    expect(eventOf("Stop")?.["background_tasks"]).toHaveLength(1);
    expect(witnessed().map(({ event }) => event)).toEqual(["start", "submit"]);
  });

  test("wakes the agent when it is over", async () => {
    const { child } = start("agent: background 10ms\nagent: say Awake");
    await reaches(child, "idle");
    expect(eventNames()).toEqual(["SessionStart", "UserPromptSubmit", "Stop", "UserPromptSubmit", "Stop"]);
    expect(eventOf("UserPromptSubmit")?.["prompt"]).toMatch(/^<task-notification>/);
    expect(eventOf("Stop")).toMatchObject({ last_assistant_message: "Awake", background_tasks: [] });
    expect(witnessed().map(({ event }) => event)).toEqual(["start", "submit", "end"]);
  });
});

describe("before the session", () => {
  test("it can be slow to start", async () => {
    const { child } = start("agent: start 50ms");
    await reaches(child, "idle");
    const [started, submitted] = witnessed();
    expect(Number(submitted?.["at"]) - Number(started?.["at"])).toBeGreaterThanOrEqual(49);
  });

  test("a dialog blocks it, and no hook tells", async () => {
    const agent = start("agent: dialog Do you trust this folder?");
    await shows(agent, "❯ No, exit");
    agent.child.kill("SIGTERM");
    expect(await agent.ended).toBe(143);
    expect(agent.output.stdout).toContain("Do you trust this folder?");
    expect(events()).toEqual([]);
    expect(existsSync(join(home, "config/sessions"))).toBe(false);
  });

  test("a session is resumed if there is one, and is not started twice", async () => {
    const none = start("Go on", ["--resume", SESSION]);
    expect(await none.ended).toBe(1);
    expect(none.output.stderr).toContain("No conversation found with session ID");

    expect(await start("agent: exit 7").ended).toBe(7);
    const again = start("Hello");
    expect(await again.ended).toBe(1);
    expect(again.output.stderr).toContain("is already in use");

    const { child } = start("Go on", ["--resume", SESSION]);
    await reaches(child, "idle");
    expect(eventOf("SessionStart")).toMatchObject({ source: "resume" });
    expect(transcript().map(({ type }) => type)).toEqual(["user", "user", "assistant", "assistant"]);
  });

  test("it says its version", async () => {
    const { output, ended } = start("", ["--version"]);
    expect(await ended).toBe(0);
    expect(output.stdout).toBe("2.1.329 (ccl-queue demo agent)\n");
  });
});
