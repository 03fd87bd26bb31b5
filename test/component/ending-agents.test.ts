import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { endAgent } from "../../src/workers/claude/end-agent.ts";
import { isAlive } from "../../src/workers/process.ts";

const GRACE_MS = 5_000;
const FOREVER = "while :; do sleep 0.01; done";

/** A shell that stands for an agent. */
async function agent(script: string) {
  const child = spawn("sh", ["-c", `${script}; echo ready; ${FOREVER}`], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return { child, id: { pid, startTime }, exited: once(child, "exit") };
}

test("an agent that ends when it is asked to is not killed", async () => {
  const { id, exited } = await agent("trap 'exit 3' TERM");
  await endAgent(id);
  expect(isAlive(id)).toBe(false);
  expect(await exited).toEqual([3, null]);
});

test("an agent that is ended is proved to be gone", async () => {
  const { id, exited } = await agent(":");
  await endAgent(id);
  expect(isAlive(id)).toBe(false);
  expect(await exited).toEqual([null, "SIGTERM"]);
});

test("an agent that ignores it is killed after the grace, and not before", async () => {
  const { child, id, exited } = await agent("trap 'echo asked' TERM");
  let nowMs = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const ended = endAgent(id);
  await once(child.stdout, "data");

  nowMs = GRACE_MS;
  const looks = clock.mock.calls.length;
  await vi.waitUntil(() => clock.mock.calls.length > looks + 2, { interval: 1 });
  expect(isAlive(id)).toBe(true);

  nowMs = GRACE_MS + 1;
  await ended;
  expect(await exited).toEqual([null, "SIGKILL"]);
});

test("an agent that is gone already is left in peace, and so is whoever got its pid", async () => {
  const { child, id } = await agent("trap 'echo asked' TERM; trap 'echo alive' USR1");
  let said = "";
  child.stdout.on("data", (text) => {
    said += String(text);
  });
  await endAgent({ ...id, startTime: "1" });
  // Once it has answered twice, every earlier signal was seen to.
  for (const answers of ["alive\n", "alive\nalive\n"]) {
    child.kill("SIGUSR1");
    await vi.waitUntil(() => said.length >= answers.length, { interval: 1 });
  }
  expect(said).toBe("alive\nalive\n");
});
