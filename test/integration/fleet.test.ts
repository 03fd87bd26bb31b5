import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Witness } from "../helpers/agent-log.ts";
import { prepareQueue, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const paneIds = async () => {
  const lines = (await queue.tmux("list-panes", "-a", "-F", "#{pane_id} #{session_name} #{pane_pid}")).split("\n");
  return lines.map((line) => line.split(" "));
};

/** A terminal for a person: a session outside the pool, in which tmux is attached to the pool's. */
async function attachPerson(): Promise<void> {
  await queue.tmux("new-session", "-d", "-s", "person", "-x", "100", "-y", "30");
  const attach = `TMUX= tmux -L ${queue.config.tmuxSocket} attach -t =ccl-auto-11`;
  await queue.tmux("send-keys", "-t", "=person:", attach, "Enter");
  const attached = async () => await queue.tmux("display-message", "-p", "-t", "=ccl-auto-11:", "#{session_attached}");
  await until("the person is attached", async () => (await attached()) === "1");
}

test("forty tasks on ten sessions: ten at once, never two in one session, never one outside the range", async () => {
  queue = await prepareQueue({
    workMs: 1,
    yaml: [
      "pool:",
      "  autonomous: { min: 10, max: 11 }",
      "  dedicated: [{ project: elsewhere, session: ccl-auto-13 }]",
    ].join("\n"),
  });
  // Sessions of operators: one in the range but named as dedicated, one next to the range, one of another name.
  const operators = ["ccl-auto-13", "ccl-auto-10", "ccl-auto-22", "work"];
  for (const name of operators) await queue.tmux("new-session", "-d", "-s", name);
  const before = (await paneIds()).filter(([, session]) => operators.includes(session ?? ""));

  await queue.app.start();
  const names = Array.from({ length: 40 }, (_, index) => `task-${index}.md`);
  for (const name of names) await queue.drop(name, `${name}\nagent: until go\n`);
  await until("ten are at work", async () => mostAtOnce(runsOf(await queue.witness())) === 10);
  await writeFile(join(queue.project, "go"), "");
  expect((await queue.settled("done", 40, 60_000)).toSorted()).toEqual(names.toSorted());

  const sessions = new Map((await paneIds()).map(([id, session]) => [id, session]));
  const runs = runsOf(await queue.witness());
  expect(runs).toHaveLength(40);
  const used = new Set(runs.map(({ pane }) => sessions.get(pane)));
  expect([...used].toSorted()).toEqual([11, 12, 14, 15, 16, 17, 18, 19, 20, 21].map((index) => `ccl-auto-${index}`));
  expect(mostAtOnce(runs)).toBe(10);
  for (const pane of new Set(runs.map((run) => run.pane)))
    expect(mostAtOnce(runs.filter((run) => run.pane === pane))).toBe(1);
  expect((await paneIds()).filter(([, session]) => operators.includes(session ?? ""))).toEqual(before);
}, 90_000);

test("a waiting critical goes before high before default before low, in the order dropped within a level", async () => {
  queue = await startQueue({ sessions: 1 });
  await queue.drop("busy.md", "agent: work 1500ms\n");
  await until("the session is busy", async () => (await queue.witness()).some(({ event }) => event === "submit"));
  const levels = ["low", "default", "critical", "high", "default", "low", "critical", "high"];
  for (const [index, level] of levels.entries()) {
    await queue.drop(`${9 - index}.md`, `---\npriority: ${level}\n---\n${index} ${level}\n`);
  }
  await queue.settled("done", 9, 40_000);
  const submits = (await queue.witness()).filter(({ event }) => event === "submit");
  expect(submits.slice(1).map(({ firstLine }) => firstLine)).toEqual([
    "2 critical",
    "6 critical",
    "3 high",
    "7 high",
    "1 default",
    "4 default",
    "0 low",
    "5 low",
  ]);
  expect(submits.map(({ model }) => model)).toEqual([
    "sonnet",
    "opus",
    "opus",
    ...Array.from({ length: 6 }, () => "sonnet"),
  ]);
}, 60_000);

test("a session in which a person works is left alone, and used once it is a shell at its prompt again", async () => {
  queue = await startQueue({ sessions: 1 });
  await queue.tmux("send-keys", "-t", "ccl-auto-11", "cat", "Enter");
  await until(
    "cat runs",
    async () => (await queue.tmux("list-panes", "-a", "-F", "#{pane_current_command}")) === "cat",
  );
  await queue.drop("patient.md", "patient\n");
  await until("it is routed", () => queue.events.some(({ type }) => type === "routed"));
  await queue.tmux("split-window", "-t", "ccl-auto-11");
  await queue.tmux("kill-pane", "-t", "ccl-auto-11.1");
  expect(await queue.witness()).toEqual([]);
  await queue.tmux("send-keys", "-t", "ccl-auto-11", "C-d");
  expect(await queue.settled("done", 1)).toEqual(["patient.md"]);
});

test("a session that a person has just typed in is left to that person until the person leaves", async () => {
  queue = await startQueue({ sessions: 1 });
  await attachPerson();
  await queue.tmux("send-keys", "-t", "=person:", "half a comm");
  await queue.drop("patient.md", "patient\n");
  await until("it is routed", () => queue.events.some(({ type }) => type === "routed"));
  await queue.tmux("send-keys", "-t", "=person:", "and");
  const typed = async () => await queue.tmux("capture-pane", "-p", "-t", "=ccl-auto-11:");
  await until("the person's words stand there", async () => (await typed()).includes("half a command"));
  expect(await queue.witness()).toEqual([]);
  await queue.tmux("detach-client", "-s", "=ccl-auto-11");
  expect(await queue.settled("done", 1)).toEqual(["patient.md"]);
});

test("an agent that has stopped is left to a person who is typing, who can go on with it until the person leaves", async () => {
  queue = await startQueue({ sessions: 1 });
  await queue.drop("watched.md", "agent: work 4s\n");
  await until("it works", async () => (await queue.witness()).some(({ event }) => event === "submit"));
  await attachPerson();
  const cameAt = Number(await queue.tmux("display-message", "-p", "-t", "=ccl-auto-11:", "#{session_last_attached}"));
  // Who has not pressed a key since just watches, and tmux counts in seconds.
  await until("the next second", () => Date.now() >= (cameAt + 1) * 1_000);
  await queue.tmux("send-keys", "-t", "=person:", "agent: say As you ");
  const stopped = await until("it has stopped", async () =>
    (await queue.witness()).find(({ event }) => event === "end"),
  );
  await until("it would be over", () => performance.timeOrigin + performance.now() > stopped.at + 2_500);
  expect(await queue.names("inbox")).toEqual(["watched.md.dispatched"]);
  await queue.tmux("send-keys", "-t", "=person:", "like.", "Enter");
  await until("it has taken that", async () =>
    (await queue.witness()).some(
      ({ event, firstLine }) => event === "submit" && firstLine === "agent: say As you like.",
    ),
  );
  await queue.tmux("detach-client", "-s", "=ccl-auto-11");
  expect(await queue.settled("done", 1)).toEqual(["watched.md"]);
  expect(await queue.read("done", "watched.md")).toContain("> As you like.");
});

test("a missing session of the pool is made again, in place of one that was killed", async () => {
  queue = await startQueue({ sessions: 2 });
  await queue.drop("first.md", "first\n");
  await queue.settled("done", 1);
  await queue.tmux("kill-server");
  await queue.drop("second.md", "second\n");
  expect(await queue.settled("done", 2)).toEqual(["first.md", "second.md"]);
});

test.each([
  "with space",
  "quo'te\"s",
  "semi;",
  "dollar$(touch PWNED)",
  "hash#(touch PWNED)",
  "#{pane_id}",
  "-dash",
  "back`touch PWNED`tick\\",
])("a project called %s works, and nothing in its name is executed", async (name) => {
  queue = await startQueue({ project: name });
  await queue.drop("task.md", "agent: write here.txt yes\n");
  expect(await queue.settled("done", 1)).toEqual(["task.md"]);
  const [start] = await queue.witness();
  expect(start?.cwd).toBe(queue.project);
  expect(await queue.names("inbox")).toEqual([]);
  const leftovers = await until("the file is there", async () => await namesIn(queue.project));
  expect(leftovers.toSorted()).toEqual([".agent-queue", "here.txt"]);
  expect(await namesIn(join(queue.dir, "home"))).not.toContain("PWNED");
});

interface Run {
  readonly pane: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** From the agents' own log: each run's pane, its process's start, and the end of its work. */
function runsOf(log: readonly Witness[]): Run[] {
  return log
    .filter(({ event }) => event === "start")
    .map((start) => {
      const end = log.find(({ event, pid }) => event === "end" && pid === start.pid);
      return { pane: start.pane ?? "", startMs: start.at, endMs: end?.at ?? Number.POSITIVE_INFINITY };
    });
}

function mostAtOnce(runs: readonly Run[]): number {
  return Math.max(
    ...runs.map((run) => runs.filter(({ startMs, endMs }) => startMs <= run.startMs && run.startMs < endMs).length),
  );
}

async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir);
}
