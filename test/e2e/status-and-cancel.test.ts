import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Status, statusSchema } from "../../src/control/status.ts";
import { type Daemon, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
const daemons: Daemon[] = [];

afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.signal("SIGKILL");
    await daemon.ended();
  }
  // Starting the same queue once more stops what the daemon left: its Redis and its agents.
  await queue.app.start();
  await queue.stop();
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<Daemon> {
  const daemon = await startDaemon(queue.configFile, { ...queue.environment, ...environment });
  daemons.push(daemon);
  return daemon;
}

interface Said {
  readonly code: number | string;
  readonly output: string;
}

/** Runs a verb on the queue's configuration, as an operator would from some directory. */
async function ccl(verb: string, args: readonly string[] = [], cwd = queue.dir): Promise<Said> {
  const command = runCommand([verb, "--config", queue.configFile, ...args], queue.environment, cwd);
  return { code: await command.ended(), output: command.output() };
}

async function statusNow(): Promise<Status> {
  const { code, output } = await ccl("status", ["--json"]);
  expect({ code, output }).toMatchObject({ code: 0 });
  const body: unknown = JSON.parse(output);
  const found = statusSchema.parse(body);
  expect(found).toEqual(body);
  return found;
}

const statusWhen = async (what: string, isSo: (found: Status) => boolean) =>
  await until(
    what,
    async () => {
      const found = await statusNow();
      return isSo(found) ? found : null;
    },
    30_000,
  );

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const inbox = () => join(queue.project, ".agent-queue", "inbox");
const inFailed = (name: string) => join(queue.project, ".agent-queue", "failed", name);
/** What a name can do to a terminal is not printed. */
const cancelled = (name: string) => ({
  code: 0,
  output: `cancelled alpha/${name}; now ${inFailed(name)}`.replace(/\n/g, " ").concat("\n"),
});

/** The only session has an agent that never ends, and these tasks wait. */
async function startBusy(...waiting: readonly string[]): Promise<void> {
  queue = await prepareQueue({ sessions: 1 });
  await start();
  await queue.drop("busy.md", "agent: hang\n");
  await until("the session is busy", async () => (await submits()).length === 1);
  for (const name of waiting) await queue.drop(name, "waits\n");
  await statusWhen("all wait", ({ queues }) => queues.local.waiting === waiting.length);
}

describe("ccl-queue status", () => {
  test("shows how the queue stands, for people and as JSON", async () => {
    await startBusy("waits.md");
    const { code, output } = await ccl("status");
    expect(code).toBe(0);
    expect(output.split("\n")).toEqual([
      "ok: 1 of 1 sessions busy",
      expect.stringMatching(/^waiting: 1 task, the oldest for \d/),
      "",
      "SESSION      TASK           PHASE    MODEL   ATTEMPT  SILENT FOR",
      expect.stringMatching(/^ccl-auto-11 {2}alpha\/busy\.md {2}running {2}sonnet {2}1 {8}\d/),
      "",
    ]);
    const found = await statusNow();
    expect(found).toMatchObject({ verdict: "ok", sessions: [{ name: "ccl-auto-11", state: "busy" }] });
    expect(found.runs.map(({ task }) => task)).toEqual(["alpha/busy.md"]);
  });

  test("needs no token, although whoever comes by TCP does, and neither tells it", async () => {
    queue = await prepareQueue();
    const token = "s3cret-token";
    const daemon = await start({ CCL_QUEUE_TOKEN: token });
    const found = await statusNow();
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(daemon.output())?.[0];
    const ask = async (headers: Record<string, string>) => (await fetch(`${url}/watchdog/status`, { headers })).status;
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: `Bearer ${token}` })).toBe(200);
    expect(daemon.output() + JSON.stringify(found)).not.toContain(token);
  });
});

describe("ccl-queue cancel", () => {
  test("takes a name, one with its project, paths from where one stands, a job's id and its beginning", async () => {
    const ways = ["name", "label", "absolute", "inbox", "project", "queue", "projects", "dots", "id", "beginning"];
    await startBusy(...ways.map((way) => `${way}.md`));
    await mkdir(join(queue.project, "src", "deep"), { recursive: true });
    const from = (folder: string) => join(queue.project, folder);
    for (const [text, folder] of [
      ["name.md", "src"],
      ["alpha/label.md", "src"],
      [join(inbox(), "absolute.md"), "src"],
      ["./inbox.md", ".agent-queue/inbox"],
      [".agent-queue/inbox/project.md", "."],
      ["inbox/queue.md", ".agent-queue"],
      ["alpha/.agent-queue/inbox/projects.md", ".."],
      ["../../.agent-queue/inbox/dots.md", "src/deep"],
    ] as const) {
      const name = text.slice(text.lastIndexOf("/") + 1);
      expect(await ccl("cancel", [text], from(folder))).toEqual(cancelled(name));
    }
    const log = daemons[0]?.output() ?? "";
    const idOf = (name: string) => new RegExp(`"task":"alpha/${name}","id":"(\\w+)"`).exec(log)?.[1] ?? "none";
    expect(await ccl("cancel", [idOf("id.md")])).toEqual(cancelled("id.md"));
    expect(await ccl("cancel", [idOf("beginning.md").slice(0, 9)])).toEqual(cancelled("beginning.md"));
    expect(await ccl("cancel", ["busy.md.dispatched"], inbox())).toEqual(cancelled("busy.md"));
    const { queues } = await statusWhen("nothing is left", ({ runs }) => runs.length === 0);
    expect(queues.local).toMatchObject({ waiting: 0, active: 0, delayed: 0 });
    expect(await queue.names("done")).toEqual([]);
    expect(await queue.names("inbox")).toEqual([]);
    expect(await submits()).toHaveLength(1);
  });

  test("takes paths through a link to the project", async () => {
    await startBusy("x.md");
    const elsewhere = await mkdtemp(join(tmpdir(), "ccl-elsewhere-"));
    try {
      await symlink(queue.project, join(elsewhere, "link"));
      expect(await ccl("cancel", ["link/.agent-queue/inbox/x.md"], elsewhere)).toEqual(cancelled("x.md"));
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  test("takes several, one after the other, also after one that cannot be cancelled", async () => {
    await startBusy("a.md", "b.md", "c.md", "d.md");
    const { code, output } = await ccl("cancel", ["a.md", "b.md", "missing.md", "c.md"]);
    expect(code).toBe(3);
    for (const name of ["a.md", "b.md", "c.md"]) expect(output).toContain(cancelled(name).output);
    expect(output).toMatch(/^ccl-queue: no waiting or running task is called missing\.md \[TASK_UNKNOWN\]\n {2}name/m);
    expect(await queue.names("failed")).toEqual(["a.md", "b.md", "c.md"]);
  });

  test("takes names with whatever a name may hold, after -- also a dash", async () => {
    const names = [
      "a b.md",
      "quo'te\"s.md",
      "new\nline.md",
      "ü 東京 🎏.md",
      "-x.md",
      "--help.md",
      "50%25.md",
      "$(id).md",
    ];
    await startBusy(...names);
    for (const name of names) expect(await ccl("cancel", ["--", name])).toEqual(cancelled(name));
    expect(await queue.names("failed")).toEqual(names.toSorted());
  });

  test("ends with 3 for what is no task, and does nothing", async () => {
    await startBusy("x.md");
    await writeFile(join(queue.project, "x.md"), "mine\n");
    await writeFile(join(queue.project, ".agent-queue", "x.md"), "mine\n");
    const texts = [
      "missing.md",
      "zzzzzzzzzz",
      "../x.md",
      "../../x.md",
      "/etc/passwd.md",
      "%2e%2e",
      ".",
      "..",
      "",
      " ",
      "*",
    ];
    for (const text of texts) {
      const said = await ccl("cancel", [text], inbox());
      expect({ text, ...said }).toEqual({ text, code: 3, output: expect.stringContaining("[TASK_UNKNOWN]") });
    }
    expect(await queue.names("inbox")).toEqual(["busy.md.dispatched", "x.md"]);
    expect(await queue.names("failed")).toEqual([]);
    expect((await statusNow()).queues.local).toMatchObject({ waiting: 1, active: 1 });
  });

  test("ends with 3 for a name in two projects, names both, and does nothing", async () => {
    await startBusy("same.md");
    const beta = join(queue.dir, "projects", "beta");
    await mkdir(join(beta, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("same.md", "of beta\n", beta);
    const { code, output } = await ccl("cancel", ["same.md"]);
    expect(code).toBe(3);
    expect(output).toMatch(/same\.md may mean (alpha|beta)\/same\.md, (alpha|beta)\/same\.md \[TASK_AMBIGUOUS\]/);
    expect(output).toContain("site/fix.md");
    expect(await queue.names("failed")).toEqual([]);
    const one = await ccl("cancel", ["beta/same.md"]);
    expect(one.output).toBe(`cancelled beta/same.md; now ${join(beta, ".agent-queue", "failed", "same.md")}\n`);
  });
});

describe.each(["status", "cancel"])("ccl-queue %s without a daemon that answers", (verb) => {
  const args = verb === "cancel" ? ["x.md"] : [];

  test("tells that none runs, also where one was killed", async () => {
    queue = await prepareQueue();
    const none = { code: 4, output: expect.stringMatching(/\[DAEMON_NOT_RUNNING\]\n {2}start it: ccl-queue start\n$/) };
    expect(await ccl(verb, args)).toEqual(none);
    const daemon = await start();
    daemon.signal("SIGKILL");
    await daemon.ended();
    expect(await ccl(verb, args)).toEqual(none);
    await start();
    expect((await statusNow()).verdict).toBe("ok");
  });

  test("tells that it starts, while it waits for its Redis", async () => {
    queue = await prepareQueue();
    const nobody = { ...queue.environment, REDIS_URL: "redis://127.0.0.1:1" };
    daemons.push(runCommand(["start", "--config", queue.configFile], nobody));
    const said = await until("it starts", async () => {
      const each = await ccl(verb, args);
      return each.output.includes("DAEMON_NOT_RUNNING") ? null : each;
    });
    expect(said).toEqual({ code: 4, output: "ccl-queue: the daemon is starting [DAEMON_STARTING]\n" });
  });

  test("tells that there is no configuration to find one by", async () => {
    queue = await prepareQueue();
    const command = runCommand([verb, ...args], queue.environment, join(queue.dir, "home"));
    expect(await command.ended()).toBe(1);
    expect(command.output()).toContain("[CONFIG_NOT_FOUND]");
  });
});
