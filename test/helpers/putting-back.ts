import { rename } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { retry } from "../../src/cli/retry.ts";
import { commanded, taskDetail } from "../../src/control/task-view.ts";
import { type Delegation, delegable, startDelegation } from "./delegation.ts";
import type { QueueFixture } from "./queue-fixture.ts";
import { until } from "./until.ts";

/** The task alpha/build.md after it failed. */
export interface FailedTask {
  readonly queue: QueueFixture;
  readonly id: string;
  /** Its file in failed/. */
  readonly failed: string;
  readonly route: "local" | "delegated";
}

export const post = async (queue: QueueFixture, path: string) =>
  await askDaemon(queue.config.stateDir, "POST", path, commanded, { body: {} });
export const get = async (queue: QueueFixture, task: string) =>
  await askDaemon(queue.config.stateDir, "GET", `/api/tasks/${task}`, taskDetail);

async function press(queue: QueueFixture, button: string): Promise<void> {
  const pressed = await fetch(`${queue.app.url}/queues/api/queues/${button}`, { method: "PUT" });
  expect(pressed.status, await pressed.text()).toBeLessThan(300);
}

/** All ways to put such a task back. */
export const WAYS: Readonly<Record<string, (failed: FailedTask) => Promise<unknown>>> = {
  "mv failed/x.md inbox/": async ({ queue, failed }) =>
    await rename(failed, join(queue.project, ".agent-queue", "inbox", "build.md")),
  "the API, by its id": async ({ queue, id }) => await post(queue, `/api/tasks/${id}/retry`),
  "ccl-queue retry": async ({ queue }) => {
    const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    expect(await retry(["build.md"], { config: queue.configFile })).toBe(0);
    expect(printed.mock.calls.join("")).toContain("runs again: alpha/build.md");
  },
  "Bull Board's Retry": async ({ queue, id, route }) => await press(queue, `${route}/${id}/retry`),
  "Bull Board's Retry all": async ({ queue, route }) => await press(queue, `${route}/retry/failed`),
  "the dashboard's button": async ({ queue, id }) => {
    const pressed = await fetch(`${queue.app.url}/tasks/${id}/retry`, { method: "POST", redirect: "manual" });
    expect(pressed.status).toBe(303);
  },
  "the API, by its name": async ({ queue }) => await post(queue, "/api/tasks/alpha%2Fbuild.md/retry"),
};

export const DELEGATED = delegable("Build it.", "title: Build it", "preferred_ai: gpu");

/** A task that the platform took and lost; it will keep the next one. */
export async function lostByPlatform(): Promise<FailedTask & { readonly delegation: Delegation }> {
  const delegation = await startDelegation({ platform: { delayMs: 0 } });
  onTestFinished(async () => await delegation.stop());
  const { queue, platform, gate } = delegation;
  gate.hold("GET", "question");
  await queue.drop("build.md", DELEGATED);
  const job = await until("it is out", () => platform.jobs()[0]);
  gate.forget(job.id);
  gate.release();
  const { id } = await until("it has failed", () => delegation.events("failed")[0]);
  await until("its job, too", async () => (await get(queue, id)).state === "failed");
  const failed = join(queue.project, ".agent-queue", "failed", "build.md");
  return { delegation, queue, id, failed, route: "delegated" };
}
