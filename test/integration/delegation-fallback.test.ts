import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, type ExpectStatic, test } from "vitest";
import { App } from "../../src/app.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const REFUSAL = "secutools would not take it: secutools did not take the job:";

/** Why tasks went to the local pool after all, by name. */
const reasonsOf = (delegation: Delegation, told: "routed" | "done") =>
  Object.fromEntries(
    delegation
      .events(told)
      .flatMap(({ task, decision }) => (decision.route === "local" ? [[task.name, decision.reason]] : [])),
  );

/** These and no others have run in the local pool, each once, and say why. */
async function expectDoneHere(
  expect: ExpectStatic,
  delegation: Delegation,
  reasons: Readonly<Record<string, string>>,
): Promise<void> {
  const { queue } = delegation;
  const names = Object.keys(reasons).sort();
  expect(await queue.settled("done", names.length)).toEqual(expect.arrayContaining(names));
  const claims = async () => (await queue.names("inbox")).filter((name) => name.endsWith(".dispatched"));
  await until("no claim is left", async () => (await claims()).length === 0);
  expect(reasonsOf(delegation, "routed")).toEqual(reasons);
  await until("their ends are told", () => Object.keys(reasonsOf(delegation, "done")).length === names.length);
  expect(reasonsOf(delegation, "done")).toEqual(reasons);
  for (const name of names) {
    const text = await queue.read("done", name);
    expect(row(text, "route")).toBe(`local: ${reasons[name]}`);
    expect(row(text, "session")).toMatch(/^ccl-auto-/);
    expect(row(text, "provider")).toBeNull();
  }
  const starts = (await queue.witness()).filter(({ event }) => event === "start");
  expect(starts).toHaveLength(names.length);
  expect((await delegation.counters())["fallback"]).toBe(names.length);
  expect(await queue.names("failed")).toEqual([]);
}

/** The same queue for an operator who has taken the key away. */
function withoutKey({ queue: { config, environment, errors, events } }: Delegation): App {
  const app = new App({
    config: { ...config, secutools: { ...config.secutools, apiKey: null } },
    environment: childEnvironment(environment),
    onError: (error) => errors.push(error),
    onHold: () => {},
  });
  app.events.on((event) => events.push(event));
  return app;
}

// The first waits for most of its time.
describe.concurrent("the local pool does a task", () => {
  test("that the platform refuses, or gives no good answer for in six tries", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ sessions: 5 });
    onTestFinished(delegation.stop);
    const { queue, platform } = delegation;
    await queue.drop("busy.md", delegable("secutools: errors 6"));
    await queue.drop("html.md", delegable("secutools: accept-garbage"));
    await queue.drop("path.md", delegable("secutools: id ../../admin"));
    await queue.drop("fifth.md", delegable("secutools: errors 5"));
    await queue.drop("refused.md", delegable("secutools: refuse 422"));
    await queue.drop("illegal.md", delegable("secutools: refuse 451"));
    // It takes what the client's pauses come to, 15.5 s at most.
    await queue.settled("done", 6, 25_000);
    // The sixth try was a good one.
    expect(row(await queue.read("done", "fifth.md"), "provider")).toMatch(/^gemini /);
    await expectDoneHere(expect, delegation, {
      "busy.md": `${REFUSAL} 503 unavailable: try again later`,
      "html.md": `${REFUSAL} its answer is bad: it is not JSON`,
      "illegal.md": `${REFUSAL} 451 refused: as the prompt asks`,
      "path.md": `${REFUSAL} its answer is bad: id: not an id of a job`,
      "refused.md": `${REFUSAL} 422 refused: as the prompt asks`,
    });
    expect(platform.stats().requests["POST"]).toEqual({ "503": 11, "201": 3, "200": 10, "422": 1, "451": 1 });
    expect(platform.stats().duplicates).toBe(0);
    for (const { path } of platform.requests()) expect(path).not.toContain("admin");
    expect(queue.errors).toEqual([]);
  });

  test("when the key is wrong, and never shows the key", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ key: "no-such-key" });
    onTestFinished(delegation.stop);
    const { queue, platform } = delegation;
    await queue.drop("a.md", delegable("Do it."));
    await expectDoneHere(expect, delegation, {
      "a.md": `${REFUSAL} 401 unauthorized: wrong or missing API key`,
    });
    expect(platform.stats().requests).toEqual({ POST: { "401": 1 } });
    expect(await queue.read("done", "a.md")).not.toContain("no-such-key");
  });

  test("that waits or has lost its marker when the key is gone; what is out stays out", async (context) => {
    const { expect } = context;
    const delegation = await startDelegation({ more: "concurrency: 3", platform: { delayMs: 60_000 } });
    context.onTestFinished(delegation.stop);
    const { queue, platform, gate } = delegation;
    for (const name of ["out.md", "taken-back.md", "withdrawn.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    await until("they are out", () => delegation.events("delegated").length === 3);
    gate.hold("POST", "question");
    for (const name of ["asking-1.md", "asking-2.md", "asking-3.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    await until("three are being handed in", () => gate.held() === 3);
    await queue.drop("waiting.md", delegable("Do it."));
    await until("one waits", () => delegation.events("routed").length === 7);
    await queue.app.stop();
    gate.release();

    const keyless = withoutKey(delegation);
    context.onTestFinished(async () => await keyless.stop());
    await keyless.start();
    await until("it is reported", () => delegation.errorCodes().includes("SECUTOOLS_NOT_CONFIGURED"));
    await rm(delegation.marker("taken-back.md"));
    await rm(join(queue.project, ".agent-queue", "inbox", "withdrawn.md"));
    const names = ["asking-1.md", "asking-2.md", "asking-3.md", "taken-back.md", "waiting.md"];
    const gone = "delegation is not configured any more";
    await expectDoneHere(expect, delegation, Object.fromEntries(names.map((name) => [name, gone])));
    await until("one is cancelled", () => delegation.events("cancelled").length === 1);
    expect(await queue.names("inbox")).toEqual(["out.md", "out.md.delegated"]);
    expect(delegation.asked("DELETE")).toBe(0);
    await keyless.stop();

    const asked = delegation.asked("GET");
    await queue.app.start();
    await until("somebody asks about it again", () => delegation.asked("GET") > asked);
    expect(platform.stats()).toMatchObject({ accepted: 3, replays: 0 });
  });
});
