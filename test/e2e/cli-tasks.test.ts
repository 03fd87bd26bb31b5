import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { hostView } from "../../src/control/hosts.ts";
import { sessionView } from "../../src/control/session-view.ts";
import { taskDetail, taskLog, taskPage } from "../../src/control/task-view.ts";
import { command, type Ended, type Run } from "../helpers/command.ts";
import { type Daemon, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
let daemon: Daemon;

beforeEach(async () => {
  queue = await prepareQueue({ sessions: 1 });
  daemon = await startDaemon(queue.configFile, queue.environment);
});
afterEach(async () => {
  daemon.signal("SIGKILL");
  await daemon.ended();
  // Starting the same queue once more stops what the daemon left: its Redis and its agents.
  await queue.app.start();
  await queue.stop();
});

/** Runs a verb on the queue's configuration, as an operator would who stands in the project. */
async function ccl(args: readonly string[], run: Run = {}): Promise<Ended> {
  const environment = { ...queue.environment, CCL_QUEUE_CONFIG: queue.configFile };
  return await command(args, { cwd: queue.project, ...run, environment: { ...environment, ...run.environment } });
}

/** What a verb prints that must go well. */
async function output(...args: string[]): Promise<string> {
  const { code, out, err } = await ccl(args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
}

const parsed = async (...args: string[]): Promise<unknown> => JSON.parse(await output(...args));
const listed = async (...args: string[]) => taskPage.parse(await parsed("list", "--json", ...args));
const names = async (...args: string[]) => (await listed(...args)).tasks.map(({ task }) => task);

const whenState = async (task: string, state: string) =>
  await until(`${task} is ${state}`, async () =>
    (await listed("--all")).tasks.find((each) => each.task === task && each.state === state),
  );

/** The only session has an agent that never ends. */
async function keepBusy(): Promise<void> {
  await output("add", "--name", "busy.md", "agent: hang");
  await whenState("alpha/busy.md", "running");
}

describe("add", () => {
  test("takes text, files and stdin, for the project that one stands in or another", async () => {
    await output("hold");
    const beta = join(queue.dir, "projects", "beta", ".agent-queue", "inbox");
    await mkdir(beta, { recursive: true });
    await mkdir(join(queue.project, "src"));
    await writeFile(join(queue.project, "todo.md"), "---\ntags: [ci]\ntitle: From a file\n---\nDo it.\n");
    const inbox = join(queue.project, ".agent-queue", "inbox");
    expect(await ccl(["add", "Say", "hello."], { cwd: join(queue.project, "src") })).toEqual({
      code: 0,
      out: `added alpha/say-hello.md; now ${join(inbox, "say-hello.md")}\n`,
      err: "",
    });
    expect(await output("add", "-p", "critical", "todo.md")).toContain("added alpha/todo.md; ");
    expect((await ccl(["add", "--name", "piped.md", "-"], { input: "From stdin: ü\n" })).out).toContain(
      "alpha/piped.md",
    );
    expect(await output("add", "--project", "beta", "--name", "b.md", "For beta.")).toContain(join(beta, "b.md"));
    expect(await parsed("add", "--json", "--name", "j.md", "As JSON.")).toEqual({
      task: "alpha/j.md",
      path: join(inbox, "j.md"),
    });
    await until("all are waiting", async () => (await listed()).total === 5);
    expect(taskDetail.parse(await parsed("show", "--json", "todo.md"))).toMatchObject({
      ...{ priority: "critical", title: "From a file", tags: ["ci"], prompt: expect.stringContaining("Do it.") },
    });
    expect(await parsed("show", "--json", "piped.md")).toMatchObject({ prompt: expect.stringContaining("stdin: ü") });
  });

  test("waits for the result, and says by its exit code whether there is one", async () => {
    const done = await ccl(["add", "--wait", "agent: say all is well"]);
    expect(done).toMatchObject({ code: 0, err: "", out: expect.stringMatching(/^added .+\nall is well\n$/) });
    const asJson = taskDetail.parse(await parsed("add", "--wait", "--json", "--name", "j.md", "agent: say so"));
    expect(asJson).toMatchObject({ task: "alpha/j.md", state: "done", result: "so" });
    const failed = await ccl(["add", "--wait", "--name", "boom.md", "agent: exit 3"]);
    expect(failed).toMatchObject({ code: 5, err: expect.stringContaining("alpha/boom.md is failed") });
  });

  test("refuses what is no task, and where nobody can tell the project", async () => {
    await mkdir(join(queue.dir, "projects", "beta", ".agent-queue", "inbox"), { recursive: true });
    const elsewhere = { cwd: queue.dir };
    expect(await ccl(["add"])).toMatchObject({ code: 2, out: "" });
    expect(await ccl(["add", "missing.md"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("no file missing.md"),
    });
    expect(await ccl(["add", "-"], { input: " \n" })).toMatchObject({
      code: 1,
      err: expect.stringContaining("TASK_INVALID"),
    });
    expect(await ccl(["add", "x"], elsewhere)).toMatchObject({
      code: 3,
      err: expect.stringContaining("PROJECT_AMBIGUOUS"),
    });
    expect(await ccl(["add", "--project", "gamma", "x"])).toMatchObject({
      code: 3,
      err: expect.stringContaining("PROJECT_UNKNOWN"),
    });
    expect(await queue.names("inbox")).toEqual([]);
  });
});

describe("list", () => {
  test("has what is not over, and by filters anything", async () => {
    await output("add", "--wait", "--name", "first.md", "Say hello.");
    await keepBusy();
    await output("add", "--name", "plain.md", "Waits.");
    await queue.drop("ci.md", "---\ntags: [ci]\npriority: high\ntitle: Mend it\n---\nWaits.\n");
    await until("all are there", async () => (await listed()).total === 3);
    const lines = (await output("list")).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ID +STATE +PRIORITY +TASK +BY +AGE +TOOK +ABOUT$/);
    expect(lines.at(-1)).toBe("1 more is over: --all lists them");
    expect(lines).toHaveLength(5);
    expect(lines.find((line) => line.includes("alpha/ci.md"))).toMatch(/ waiting +high +alpha\/ci\.md +.* Mend it$/);
    expect(await names("--state", "done")).toEqual(["alpha/first.md"]);
    expect(await names("-s", "running,done", "-s", "failed")).toEqual(["alpha/busy.md", "alpha/first.md"]);
    expect(await names("--tag", "ci")).toEqual(["alpha/ci.md"]);
    expect(await names("--project", "beta")).toEqual([]);
    expect(await names("--route", "delegated")).toEqual([]);
    expect(await listed("--all", "--limit", "2")).toMatchObject({ total: 4, tasks: [{}, {}] });
    expect(await output("ls", "-n", "1")).toContain("and 2 more: --limit shows them");
  });

  test("prints the JSON of the API", async () => {
    await keepBusy();
    const { stateDir } = queue.config;
    expect(await parsed("list", "--all", "--json")).toEqual(await askDaemon(stateDir, "GET", "/api/tasks", taskPage));
  });
});

describe("show and logs", () => {
  test("tell of a task that is over, by name, id and path", async () => {
    await output("add", "--wait", "--name", "x.md", "agent: say it\\nis done");
    const [task] = (await listed("--all")).tasks;
    const shown = await output("show", "x.md");
    for (const part of ["alpha/x.md\n", "state     done", "Prompt\n  agent: say", "Result\n  it\n  is done\n"])
      expect(shown).toContain(part);
    expect(await output("show", task?.id.slice(0, 6) ?? "")).toBe(shown);
    expect(await output("show", ".agent-queue/done/x.md")).toBe(shown);
    const log = taskLog.parse(await parsed("logs", "--json", "x.md"));
    expect(log).toMatchObject({ task: "alpha/x.md", over: true, next: log.lines.length });
    const lines = (await output("logs", "x.md")).trimEnd().split("\n");
    expect(lines.filter((line) => /^\d{4}-\d\d-\d\d \d\d:/.test(line))).toHaveLength(log.lines.length);
    expect(lines[0]).toMatch(/ seen {7}seen in the inbox$/);
    expect(lines.at(-1)).toMatch(/ done {7}done after .+; now .+\/done\/x\.md$/);
  });

  test("follow a task until it is over", async () => {
    await output("hold");
    await output("add", "--name", "x.md", "Say hello.");
    await whenState("alpha/x.md", "waiting");
    const args = ["logs", "--follow", "--json", "x.md"];
    const follower = runCommand(args, { ...queue.environment, CCL_QUEUE_CONFIG: queue.configFile });
    await until("it tells of the task", () => follower.output().includes('"seen"'));
    expect(follower.hasEnded()).toBe(false);
    await output("resume");
    expect(await follower.ended()).toBe(0);
    const types = follower
      .output()
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line).type);
    expect(types[0]).toBe("seen");
    expect(types).toContain("submitted");
    expect(types.at(-1)).toBe("done");
    expect(types.filter((type) => type === "seen")).toHaveLength(1);
  });

  test("end with 3 for what nobody knows", async () => {
    for (const verb of ["show", "logs", "attach", "retry"])
      expect(await ccl([verb, "missing.md"])).toMatchObject({
        code: 3,
        out: "",
        err: expect.stringContaining("[TASK_UNKNOWN]"),
      });
  });
});

describe("retry", () => {
  test("runs again what failed, one and all, each tried", async () => {
    for (const name of ["a.md", "b.md"]) await output("add", "--name", name, "agent: needs ok");
    await queue.settled("failed", 2);
    await whenState("alpha/a.md", "failed");
    await whenState("alpha/b.md", "failed");
    await writeFile(join(queue.project, "ok"), "");
    expect(await ccl(["retry", "missing.md", "a.md"])).toMatchObject({
      code: 3,
      out: expect.stringMatching(/^runs again: alpha\/a\.md; now .+\/inbox\/a\.md\n$/),
      err: expect.stringContaining("[TASK_UNKNOWN]"),
    });
    expect(await output("retry", "--all-failed", "--project", "alpha")).toMatch(/^runs again: alpha\/b\.md; now .+\n$/);
    expect(await queue.settled("done", 2)).toEqual(["a.md", "b.md"]);
    expect(await output("retry", "--all-failed")).toBe("nothing has failed\n");
  });
});

describe("the pool", () => {
  test("is held with a message, and resumed", async () => {
    expect(await output("hold", "a", "new", "compiler")).toMatch(/^held: a new compiler\n/);
    await output("add", "--name", "x.md", "Say hello.");
    await whenState("alpha/x.md", "waiting");
    expect(await ccl(["status", "--exit-code"])).toMatchObject({
      code: 5,
      out: expect.stringMatching(/^held: 0 of 1 sessions busy, 1 idle\n {2}.*a new compiler/),
    });
    expect((await ccl(["status"])).code).toBe(0);
    await output("resume");
    await whenState("alpha/x.md", "done");
    expect((await ccl(["status", "--exit-code"])).code).toBe(0);
  });

  test("is shown with every other host on this Redis", async () => {
    const { hosts } = JSON.parse(await output("status", "--all", "--json"));
    expect(hosts.map((host: unknown) => hostView.parse(host))).toMatchObject([{ workspace: "default", state: "up" }]);
    const [head, line, ...more] = (await output("status", "--all")).trimEnd().split("\n");
    expect(head).toMatch(/^WORKSPACE +HOST +VERDICT +SESSIONS +WAITING +DELEGATED +HEARD OF +WHY$/);
    expect(line).toMatch(/^default +\S+ +ok +0 of 1 busy +0 +0 +\S+ m?s ago$/);
    expect(more).toEqual([]);
  });

  test("has sessions, which can be attached to by their names and their tasks", async () => {
    const attach = `tmux -L ${queue.config.tmuxSocket} attach`;
    await keepBusy();
    expect(await output("sessions")).toMatch(
      /^SESSION +STATE +TASK .*\nccl-auto-11 +busy +alpha\/busy\.md +running +sonnet +1 /,
    );
    const { sessions } = JSON.parse(await output("sessions", "--json"));
    expect(sessions.map((each: unknown) => sessionView.parse(each).run?.task)).toEqual(["alpha/busy.md"]);
    expect(await output("attach", "ccl-auto-11")).toBe(`${attach} -t =ccl-auto-11\n`);
    expect(await output("attach", "-r", "busy.md")).toBe(`${attach} -r -t =ccl-auto-11\n`);
    await output("add", "--name", "waits.md", "Waits.");
    await whenState("alpha/waits.md", "waiting");
    expect(await ccl(["attach", "waits.md"])).toMatchObject({
      code: 3,
      err: expect.stringContaining("[SESSION_UNKNOWN]"),
    });
  });
});

test("names are completed by what the daemon knows", async () => {
  const completed = async (...words: string[]) => (await output("completion", "zsh", "--", ...words)).split("\n");
  await keepBusy();
  await queue.drop("with a blank.md", "Waits.\n");
  await until("both are there", async () => (await listed()).total === 2);
  const { id } = (await listed("--state", "waiting")).tasks[0] ?? {};
  expect(await completed("cancel", "")).toEqual([
    "alpha/busy.md\trunning",
    `${id}\twaiting: alpha/with a blank.md`,
    ":only",
    "",
  ]);
  expect(await completed("show", "alpha/b")).toEqual(["alpha/busy.md\trunning", ":only", ""]);
  expect(await completed("retry", "")).toEqual([":only", ""]);
  expect(await completed("attach", "")).toEqual([
    "ccl-auto-11\tbusy: alpha/busy.md",
    "alpha/busy.md\trunning",
    ":only",
    "",
  ]);
  expect(await completed("adopt", "--host", "")).toEqual([":only", ""]);
});

test("nothing that a task says reaches a terminal as anything but text", async () => {
  const nasty = "\u001B]0;owned\u0007\u001B[31m\u009B2Jü\u202E";
  await queue.drop("nasty.md", `---\ntitle: "\\e]0;owned\\a\\x9b2J"\n---\nagent: say ${nasty}\n`);
  await whenState("alpha/nasty.md", "done");
  for (const args of [
    ["list", "-a"],
    ["show", "nasty.md"],
    ["logs", "nasty.md"],
    ["show", "--json", "nasty.md"],
  ]) {
    const text = await output(...args);
    expect({ args, found: text.match(/[^\P{Cc}\n]|\u202E/gu) }).toEqual({ args, found: null });
    expect(text).toContain("owned");
  }
});
