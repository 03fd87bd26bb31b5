import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { commanded } from "../../src/control/task-view.ts";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
beforeEach(async () => {
  delegation = await startDelegation();
  const { queue, gate } = delegation;
  gate.hold("POST", "answer");
  await queue.drop("x.md", delegable("Do it."));
  await until("the platform has it, and nobody here knows", () => gate.held() === 1);
});
afterEach(async () => await delegation.stop());

async function cancel(): Promise<void> {
  const { stateDir } = delegation.queue.config;
  await askDaemon(stateDir, "POST", "/api/tasks/x.md/cancel", commanded, { body: {} });
}

/** What is in the inbox, hidden or not. */
const left = async () => await readdir(join(delegation.queue.project, ".agent-queue", "inbox"));

/** It ended once, as it was asked to, and the platform is not at it for nothing. */
async function expectCancelled(): Promise<void> {
  const { queue, platform } = delegation;
  await until("it is cancelled there", () => delegation.asked("DELETE") === 1);
  expect(platform.jobs()).toHaveLength(1);
  await until("nothing is left in the inbox", async () => (await left()).length === 0);
  const [name = "", ...others] = await queue.names("failed");
  expect([name, others]).toEqual(["x.md", []]);
  const result = await queue.read("failed", name);
  expect([result.startsWith(delegable("Do it.")), row(result, "ccl-queue")]).toEqual([true, "cancelled"]);
  expect(queue.errors).toEqual([]);
}

describe("a task that is cancelled before it is known that the platform has it", () => {
  test("ends so, and is cancelled there", async () => {
    await cancel();
    delegation.gate.release();
    await expectCancelled();
    expect(await delegation.queue.names("done")).toEqual([]);
  });

  test("ends so when another text has its name by then, which is run as what it is", async () => {
    const { queue } = delegation;
    await queue.drop("x.md", "Another.\n");
    await cancel();
    delegation.gate.release();
    await until("the other one is done", async () => (await queue.names("done")).length > 0);
    await expectCancelled();
    expect(await queue.names("done")).toEqual(["x.md"]);
    expect(await queue.read("done", "x.md")).toMatch(/^Another\.\n/);
  });
});
