import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { command } from "../helpers/command.ts";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { openTerminal, type Terminal } from "../helpers/terminal.ts";
import { until } from "../helpers/until.ts";

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;
const LONG = `${"a-very-long-name-".repeat(5)}東京.md`;

let queue: QueueFixture;
let daemon: Daemon;
const terminals: Terminal[] = [];

beforeEach(async () => {
  queue = await prepareQueue({ sessions: 1 });
  daemon = await startDaemon(queue.configFile, queue.environment);
});
afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.close();
  daemon.signal("SIGKILL");
  await daemon.ended();
  // Starting the same queue once more stops what the daemon left: its Redis and its agents.
  await queue.app.start();
  await queue.stop();
});

const environment = () => ({ ...queue.environment, CCL_QUEUE_CONFIG: queue.configFile });

/** A terminal in which a verb runs, and then its exit code is told. */
async function ccl(args: string, columns = 80, more: Readonly<Record<string, string>> = {}): Promise<Terminal> {
  const script = `"${process.execPath}" "${MAIN}" ${args}; echo "it ended with $?"; exec cat`;
  const options = { columns, cwd: queue.project, environment: { ...environment(), NO_COLOR: "", ...more } };
  const terminal = await openTerminal(["bash", "-c", script], options);
  terminals.push(terminal);
  return terminal;
}

/** The only session has an agent that never ends. */
async function keepBusy(name = "busy.md"): Promise<void> {
  await queue.drop(name, "agent: hang\n");
  await until("the agent is at work", async () => (await queue.witness()).some(({ event }) => event === "submit"));
}

describe("a terminal", () => {
  test("gets tables that fit, with colours unless nobody wants them", async () => {
    await keepBusy(LONG);
    const list = await ccl("list");
    const text = await list.shows("it ended with 0");
    expect(text.split("\n")[1]).toMatch(/ running +default +alpha\/a-very-.*… +ccl-auto-11 /);
    expect(text.split("\n")[2]).toBe("it ended with 0");
    expect(await list.screen(true)).toContain("\u001B[32mrunning");
    const plain = await ccl("list", 80, { NO_COLOR: "1" });
    await plain.shows("it ended with 0");
    expect(await plain.screen(true)).not.toContain("\u001B");
  });

  test("is told that a command still waits, and for what", async () => {
    await keepBusy();
    const logs = await ccl("logs -f busy.md");
    await logs.shows(/took the prompt\n.*alpha\/busy\.md is not over … \d\.\d s\n/);
    await command(["cancel", "busy.md"], { environment: environment() });
    expect(await logs.shows("it ended with 0")).not.toContain("is not over");
  });

  test("is told so by each command that may take long, in a line that goes away", async () => {
    const waits: Record<string, string> = {
      "add Hello.": "adding the task",
      "cancel busy.md": "cancelling busy.md",
      [`cancel $'\\e[2J${"long-".repeat(20)}.md'`]: "cancelling  [2Jlong-",
      "retry nope.md": "putting back nope.md",
      "adopt --host nobody": "taking over from nobody",
      "doctor --repair": "comparing",
    };
    daemon.signal("SIGSTOP");
    const opened = await Promise.all(Object.keys(waits).map(async (args) => await ccl(args)));
    for (const [index, what] of Object.values(waits).entries())
      expect(await opened[index]?.shows(/ … \d+\.\d s\n/)).toContain(what);
    daemon.signal("SIGCONT");
    for (const [index, what] of Object.values(waits).entries())
      expect(await opened[index]?.shows("it ended with")).not.toContain(what);
  });
});

describe("status --watch", () => {
  test("shows what changes, also that the daemon is gone, until Ctrl-C", async () => {
    const watch = await ccl("status --watch", 200);
    const json = await ccl("status --watch --json", 400);
    await json.shows('{"verdict":"ok",');
    await watch.shows("ok: 0 of 1 sessions busy, 1 idle\nwaiting: no task\n");
    await keepBusy();
    await watch.shows(/ok: 1 of 1 sessions busy\n(.*\n)+ccl-auto-11 {2}alpha\/busy\.md/);
    daemon.signal("SIGKILL");
    const text = await watch.shows("[DAEMON_NOT_RUNNING]");
    expect(text).not.toContain("ccl-auto-11");
    await json.shows(`{"code":"DAEMON_NOT_RUNNING","detail":"no daemon answers in ${queue.config.stateDir}"}`);
    await watch.press("C-c");
    const after = await watch.shows("it ended with 0");
    expect(after).not.toContain("DAEMON_NOT_RUNNING");
  });
});

describe("attach", () => {
  test("shows the session of a task until it is left", async () => {
    await keepBusy();
    const attached = await ccl("attach -r busy.md");
    await attached.shows("● hanging");
    await attached.press("C-b");
    await attached.press("d");
    const left = await attached.shows("it ended with");
    expect(left).toContain("[detached (from session ccl-auto-11)]\nit ended with 0\n");
  });

  test("changes the session of a client of the same tmux server, and nests in no other", async () => {
    await keepBusy();
    const { tmuxSocket } = queue.config;
    const other = await ccl("attach busy.md", 100, { TMUX: "/tmp/tmux-0/another,1,0" });
    expect(await other.shows("it ended with 1")).toContain(`tmux -L ${tmuxSocket} attach -t =ccl-auto-11`);
    const script = `"${process.execPath}" "${MAIN}" attach busy.md; exec cat`;
    await queue.tmux("new-session", "-d", "-s", "mine", "cat");
    const client = await openTerminal(["tmux", "-L", tmuxSocket, "attach", "-t", "mine"], {
      environment: environment(),
    });
    terminals.push(client);
    await client.shows("mine");
    const variables = Object.entries(environment()).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    await queue.tmux("respawn-pane", "-k", ...variables, "-t", "=mine:", "bash", "-c", script);
    await client.shows("● hanging");
    await queue.tmux("kill-session", "-t", "=mine");
  });
});
