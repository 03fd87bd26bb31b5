import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Daemon, endDaemons, runCommand, startDaemon } from "../helpers/daemon.ts";
import { jsonLines } from "../helpers/json-lines.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
const daemons: Daemon[] = [];

afterEach(async () => await endDaemons(queue, daemons.splice(0), "SIGTERM"));

async function start(configFile = queue.configFile): Promise<Daemon> {
  const daemon = await startDaemon(configFile, queue.environment);
  daemons.push(daemon);
  return daemon;
}

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");

describe.each(["SIGKILL", "SIGTERM"] as const)("after %s", (signal) => {
  test("running agents go on, are taken over, and each task runs exactly once", async () => {
    queue = await prepareQueue({ sessions: 2 });
    const first = await start();
    for (const name of ["a", "b", "c", "d"]) await queue.drop(`${name}.md`, `agent: work 2s\nagent: say ${name}\n`);
    await until("two run", async () => (await submits()).length === 2);
    first.signal(signal);
    await first.ended();
    expect(await queue.names("inbox")).toHaveLength(4);

    await start();
    expect(await queue.settled("done", 4, 30_000)).toEqual(["a.md", "b.md", "c.md", "d.md"]);
    expect(await submits()).toHaveLength(4);
    expect(await queue.names("failed")).toEqual([]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(await queue.read("done", "a.md")).toContain("\n> a\n");
  });

  test("a task that finished meanwhile is finalised, and one that died meanwhile has failed", async () => {
    queue = await prepareQueue({ sessions: 2 });
    const first = await start();
    await queue.drop("finishes.md", "agent: work 1s\n");
    await queue.drop("dies.md", "agent: work 1s\nagent: die\n");
    await until("both run", async () => (await submits()).length === 2);
    first.signal(signal);
    await first.ended();
    await until("one has finished", async () => (await queue.witness()).some(({ event }) => event === "end"));

    await start();
    expect(await queue.settled("done", 1)).toEqual(["finishes.md"]);
    expect(await queue.settled("failed", 1)).toEqual(["dies.md"]);
    expect(await queue.read("failed", "dies.md")).toContain("| error | RUN_CRASHED: ");
    await queue.drop("next-1.md", "one\n");
    await queue.drop("next-2.md", "two\n");
    expect(await queue.settled("done", 3)).toEqual(["finishes.md", "next-1.md", "next-2.md"]);
  });
});

test("a second daemon on the same state directory is refused, and the first goes on", async () => {
  queue = await prepareQueue();
  await start();
  const second = runCommand(["start", "--config", queue.configFile], queue.environment);
  expect(await second.ended()).toBe(1);
  expect(second.output()).toContain("[ALREADY_RUNNING]");
  await queue.drop("still.md", "still here\n");
  expect(await queue.settled("done", 1)).toEqual(["still.md"]);
});

describe("a second daemon with a state directory of its own", () => {
  /** The queue's configuration with another state directory, and these changes. */
  async function besides(changes: Readonly<Record<string, string>> = {}): Promise<string> {
    const file = join(queue.dir, "besides.yaml");
    let yaml = (await readFile(queue.configFile, "utf8")).replace(/^state_dir: .*$/m, "$&-besides");
    for (const [known, wanted] of Object.entries(changes)) yaml = yaml.replace(known, wanted);
    await writeFile(file, yaml);
    return file;
  }

  test("is refused on the same sessions while the first lives, and takes them over when that is dead", async () => {
    queue = await prepareQueue();
    const first = await start();
    const refused = runCommand(["start", "--config", await besides()], queue.environment);
    daemons.push(refused);
    expect(await refused.ended()).toBe(1);
    expect(refused.output()).toContain("[POOL_TAKEN]");
    expect(refused.output()).toContain(`pid ${first.pid}) uses the sessions ccl-auto-…`);
    await queue.drop("still.md", "still here\n");
    expect(await queue.settled("done", 1)).toEqual(["still.md"]);

    first.signal("SIGKILL");
    await first.ended();
    await start(await besides());
    await queue.drop("next.md", "by the next\n");
    expect(await queue.settled("done", 2)).toEqual(["next.md", "still.md"]);
  });

  test("goes on beside the first with a workspace and sessions of its own", async () => {
    queue = await prepareQueue({ yaml: "pool: { autonomous: { min: 2, max: 2 } }\nworkspace: one" });
    await start();
    await start(
      await besides({ "{ min: 2, max: 2 }": "{ min: 2, max: 2, prefix: two- }", "workspace: one": "workspace: two" }),
    );
    const sessions = await queue.tmux("list-sessions", "-F", "#{session_name}");
    expect(sessions.split("\n").sort()).toEqual(["ccl-auto-11", "ccl-auto-12", "two-11", "two-12"]);
  });
});

test("the log is JSON lines when stdout is no terminal, and names each step of a task", async () => {
  queue = await prepareQueue();
  const daemon = await start();
  await queue.drop("logged.md", "logged\n");
  await until("it is done", () => daemon.output().includes('"type":"done"'));
  expect(jsonLines(daemon.output(), z.unknown())).toEqual(
    expect.arrayContaining(
      ["seen", "routed", "launched", "submitted", "done"].map((type) =>
        expect.objectContaining({ task: "alpha/logged.md", event: expect.objectContaining({ type }) }),
      ),
    ),
  );
});
