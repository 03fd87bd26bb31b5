import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { endAgentTree } from "../../src/workers/claude/end-agent.ts";
import { isAlive, type ProcessId, processOf, signal } from "../../src/workers/process.ts";

const INTERRUPT_MS = 3_000;
const ASK_MS = 5_000;
/** Long enough for every test, and over by itself should one fail. */
const LINGER = "i=0; while [ $((i += 1)) -lt 2000 ]; do sleep 0.01; done";
const DEAF = "trap '' INT TERM HUP";

/** A directory that no other test's run has; it need not be there. */
const runDir = (name: string) => `/nowhere/${process.pid}/${name}`;

/** A shell that stands for an agent of a run. What it starts carries the run in its environment, too. */
async function agent(run: string, script: string, { lines = 1, argument = "" } = {}) {
  const env = { PATH: process.env["PATH"], CCL_QUEUE_RUN: run };
  const child = spawn("sh", ["-c", script, argument], { stdio: ["pipe", "pipe", "inherit"], env });
  const id = await identify(child.pid ?? 0);
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  let text = "";
  child.stdout.on("data", (said) => {
    text += String(said);
  });
  const said = () => text.split("\n").slice(0, -1);
  await vi.waitUntil(() => said().length === lines, { interval: 1 });
  return { child, id, said, exited };
}

async function identify(pid: number): Promise<ProcessId> {
  const found = processOf(pid);
  if (found === null) throw new Error(`there is no process ${pid}`);
  return found;
}

/** Says of each signal that it came; USR1 is for the test to ask with. */
const WITNESS = "trap 'echo disturbed' INT TERM; trap 'echo alive' USR1";

/** Whether a witness goes on and has heard of nothing: once it has answered twice, every earlier signal was seen to. */
async function isUndisturbed({ id, said }: Pick<Awaited<ReturnType<typeof agent>>, "id" | "said">): Promise<boolean> {
  for (const answers of [2, 3]) {
    signal(id.pid, "SIGUSR1");
    await vi.waitUntil(() => said().length >= answers, { interval: 1 });
  }
  return said().slice(1).join() === "alive,alive";
}

/** A command in a session of its own, which no signal to its agent's group or terminal reaches. It says its pid. */
const background = (script: string) =>
  `setsid sh -c "${script}; echo \\$\\$; ${LINGER.replaceAll("$", "\\$")}" < /dev/null &`;

/** The process that an agent has put into the background, ended with the test. */
async function startedBy(said: string | undefined): Promise<ProcessId> {
  const id = await identify(Number(said));
  onTestFinished(() => signal(id.pid, "SIGKILL"));
  return id;
}

/** Every look at the clock finds it so much later: a grace of seconds is over in a few looks. */
function hurry(stepMs: number) {
  let nowMs = 0;
  return vi.spyOn(performance, "now").mockImplementation(() => {
    nowMs += stepMs;
    return nowMs;
  });
}

test("an agent that hangs is interrupted first, as a person would", async () => {
  const { id, exited } = await agent(runDir("asked"), `trap 'exit 3' INT; echo ready; ${LINGER}`);
  await endAgentTree(id, runDir("asked"));
  expect(await exited).toEqual([3, null]);
  expect(isAlive(id)).toBe(false);
});

test("an agent that minds no interruption is asked to end", async () => {
  const { id, said, exited } = await agent(
    runDir("terminated"),
    `trap 'echo int' INT; trap 'exit 4' TERM; echo ready; ${LINGER}`,
  );
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const ended = endAgentTree(id, runDir("terminated"));
  await vi.waitUntil(() => said().length === 2, { interval: 1 });
  nowMs = INTERRUPT_MS + 1;
  await ended;
  expect(await exited).toEqual([4, null]);
});

test("an agent is given its time at each step, and is killed when all is over, not before", async () => {
  const { id, said, exited } = await agent(
    runDir("steps"),
    `trap 'echo int' INT; trap 'echo term' TERM; echo ready; ${LINGER}`,
  );
  let nowMs = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const looksAgain = async () => {
    const looks = clock.mock.calls.length;
    await vi.waitUntil(() => clock.mock.calls.length > looks + 2, { interval: 1 });
  };
  const ended = endAgentTree(id, runDir("steps"));
  await vi.waitUntil(() => said().length === 2, { interval: 1 });
  nowMs = INTERRUPT_MS;
  await looksAgain();
  expect(said()).toEqual(["ready", "int"]);

  nowMs = INTERRUPT_MS + 1;
  await vi.waitUntil(() => said().length === 3, { interval: 1 });
  nowMs += ASK_MS;
  await looksAgain();
  expect(said()).toEqual(["ready", "int", "term"]);
  expect(isAlive(id)).toBe(true);

  nowMs += 1;
  await ended;
  expect(await exited).toEqual([null, "SIGKILL"]);
});

test("all is gone after it: a deaf agent, and a deaf command that it left in a session of its own", async () => {
  const { id, said, exited } = await agent(runDir("deaf"), `${DEAF}; ${background(DEAF)} ${LINGER}`);
  const command = await startedBy(said()[0]);
  hurry(1_000);
  await endAgentTree(id, runDir("deaf"));
  expect(await exited).toEqual([null, "SIGKILL"]);
  expect([isAlive(id), isAlive(command)]).toEqual([false, false]);
});

test("what outlived its agent is ended, too: asked first", async () => {
  const { child, said, exited } = await agent(
    runDir("outlived"),
    `${background("trap 'echo asked; exit' TERM")} read -r end`,
  );
  const command = await startedBy(said()[0]);
  child.stdin.end();
  await exited;
  expect(isAlive(command)).toBe(true);
  await endAgentTree(null, runDir("outlived"));
  expect(isAlive(command)).toBe(false);
  await vi.waitUntil(() => said().length === 2, { interval: 1 });
  expect(said()[1]).toBe("asked");
});

test("each of several commands that were left is ended", async () => {
  const script = `${background(":")} ${background(DEAF)} ${background(":")} read -r end`;
  const { child, said, exited } = await agent(runDir("several"), script, { lines: 3 });
  const commands = await Promise.all(said().map(startedBy));
  child.stdin.end();
  await exited;
  expect(await Promise.all(commands.map(isAlive))).toEqual([true, true, true]);
  hurry(1_000);
  await endAgentTree(null, runDir("several"));
  expect(await Promise.all(commands.map(isAlive))).toEqual([false, false, false]);
});

test("what a command starts when it is asked to end is ended, too", async () => {
  const restarts = "trap 'setsid sleep 60 < /dev/null & echo \\$!; exit' TERM";
  const { child, said, exited } = await agent(runDir("restarts"), `${background(restarts)} read -r end`);
  const command = await startedBy(said()[0]);
  child.stdin.end();
  await exited;
  await endAgentTree(null, runDir("restarts"));
  expect(said()).toHaveLength(2);
  const next = { pid: Number(said()[1]), startTime: null };
  onTestFinished(() => signal(next.pid, "SIGKILL"));
  expect([isAlive(command), isAlive(next)]).toEqual([false, false]);
});

test("several commands are asked at the same time: one that does not listen keeps none of the others waiting", async () => {
  const script = background("trap 'echo asked' TERM").repeat(2);
  const { child, said, exited } = await agent(runDir("at-once"), `${script} read -r end`, { lines: 2 });
  const commands = await Promise.all(said().map(startedBy));
  child.stdin.end();
  await exited;
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const ended = endAgentTree(null, runDir("at-once"));
  await vi.waitUntil(() => said().length === 4, { interval: 1 });
  nowMs = ASK_MS + 1;
  await ended;
  expect(commands.map(isAlive)).toEqual([false, false]);
});

test.each([
  ["another run's", runDir("mine-2")],
  ["of a run whose directory lies in this one's", `${runDir("mine")}/events`],
  ["no run's", ""],
])("a process is left alone that is %s", async (_what, other) => {
  const mine = await agent(runDir("mine"), `echo ready; ${LINGER}`);
  const another = await agent(other, `${WITNESS}; echo ready; ${LINGER}`);
  await endAgentTree(mine.id, runDir("mine"));
  expect(isAlive(mine.id)).toBe(false);
  expect(await isUndisturbed(another)).toBe(true);
});

test("a process that only mentions the run is left alone: in a command, or in another variable", async () => {
  const run = runDir("mentioned");
  const witness = await agent("", `OTHER=CCL_QUEUE_RUN=${run} CCL_QUEUE_RUNS=${run} exec sh -c "$0"`, {
    argument: `${WITNESS}; echo ready; ${LINGER}; : CCL_QUEUE_RUN=${run}`,
  });
  expect(readFileSync(`/proc/${witness.id.pid}/cmdline`, "utf8")).toContain(`CCL_QUEUE_RUN=${run}`);
  expect(readFileSync(`/proc/${witness.id.pid}/environ`, "utf8")).toContain(`OTHER=CCL_QUEUE_RUN=${run}`);
  await endAgentTree(null, run);
  expect(await isUndisturbed(witness)).toBe(true);
});

test("where nothing is left nothing is done", async () => {
  await expect(endAgentTree(null, runDir("nothing"))).resolves.toBeUndefined();
});

test("an agent that is gone already is left in peace, and so is whoever got its pid", async () => {
  const witness = await agent(runDir("reused"), `${WITNESS}; echo ready; ${LINGER}`);
  await endAgentTree({ ...witness.id, startTime: "1" }, runDir("reused-2"));
  expect(await isUndisturbed(witness)).toBe(true);
});
