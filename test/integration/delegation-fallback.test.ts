import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { App } from "../../src/app.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
afterEach(async () => await delegation.stop());

/** Why tasks went to the local pool after all, by name. */
const reasons = () =>
  Object.fromEntries(
    delegation
      .events("routed")
      .flatMap(({ task, decision }) => (decision.route === "local" ? [[task.name, decision.reason]] : [])),
  );

/** All have run in the local pool, each once, and say why. */
async function expectDoneHere(expected: Readonly<Record<string, string>>): Promise<void> {
  const { queue } = delegation;
  const names = Object.keys(expected).sort();
  expect(await queue.settled("done", names.length)).toEqual(names);
  const claims = async () => (await queue.names("inbox")).filter((name) => name.endsWith(".dispatched"));
  await until("no claim is left", async () => (await claims()).length === 0);
  expect(reasons()).toEqual(expected);
  for (const name of names) {
    const text = await queue.read("done", name);
    expect(row(text, "route")).toBe(`local: ${expected[name]}`);
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

describe("the local pool does a task", () => {
  test("that the platform refuses", async () => {
    delegation = await startDelegation();
    const { queue, platform } = delegation;
    await queue.drop("a.md", delegable("secutools: refuse 422"));
    await queue.drop("b.md", delegable("secutools: refuse 451"));
    const why = "secutools would not take it: secutools did not take the job: ";
    await expectDoneHere({
      "a.md": `${why}422 refused: as the prompt asks`,
      "b.md": `${why}451 refused: as the prompt asks`,
    });
    expect(platform.stats()).toMatchObject({ accepted: 0, requests: { POST: { "422": 1, "451": 1 } } });
    expect(queue.errors).toEqual([]);
  });

  test("when the key is wrong, and never shows the key", async () => {
    delegation = await startDelegation({ key: "no-such-key" });
    const { queue, platform } = delegation;
    await queue.drop("a.md", delegable("Do it."));
    await expectDoneHere({
      "a.md": "secutools would not take it: secutools did not take the job: 401 unauthorized: wrong or missing API key",
    });
    expect(platform.stats().requests).toEqual({ POST: { "401": 1 } });
    expect(await queue.read("done", "a.md")).not.toContain("no-such-key");
  });

  test("when six tries in a row had no good answer", async () => {
    delegation = await startDelegation({ sessions: 3 });
    const { queue, platform } = delegation;
    await queue.drop("busy.md", delegable("secutools: errors 6"));
    await queue.drop("html.md", delegable("secutools: accept-garbage"));
    await queue.drop("path.md", delegable("secutools: id ../../admin"));
    await queue.drop("fifth.md", delegable("secutools: errors 5"));
    const why = "secutools would not take it: secutools did not take the job: ";
    await queue.settled("done", 4, 25_000);
    // The sixth try was a good one.
    expect(row(await queue.read("done", "fifth.md"), "provider")).toMatch(/^gemini /);
    expect(reasons()).toEqual({
      "busy.md": `${why}503 unavailable: try again later`,
      "html.md": `${why}its answer is bad: it is not JSON`,
      "path.md": `${why}its answer is bad: id: not an id of a job`,
    });
    expect((await queue.witness()).filter(({ event }) => event === "start")).toHaveLength(3);
    expect(platform.stats().requests["POST"]).toEqual({ "503": 11, "201": 3, "200": 10 });
    expect(platform.stats().duplicates).toBe(0);
    for (const { path } of platform.requests()) expect(path).not.toContain("admin");
  });

  test("when the key was taken away while it waited; what is out stays out until the key is back", async () => {
    delegation = await startDelegation({ more: "concurrency: 2", platform: { delayMs: 0 } });
    const { queue, platform, gate } = delegation;
    gate.hold("GET", "question");
    await queue.drop("out.md", delegable("Do it."));
    await until("it is out", () => delegation.events("delegated").length === 1);
    gate.hold("POST", "question");
    await queue.drop("asking-1.md", delegable("Do it 1."));
    await queue.drop("asking-2.md", delegable("Do it 2."));
    await until("two are being handed in", () => gate.held() >= 2);
    await queue.drop("waiting.md", delegable("Do it 3."));
    await until("one waits", () => delegation.events("routed").length === 4);
    await queue.app.stop();
    gate.release();

    const keyless = withoutKey(delegation);
    await keyless.start();
    try {
      const gone = "delegation is not configured any more";
      await expectDoneHere({ "asking-1.md": gone, "asking-2.md": gone, "waiting.md": gone });
      expect(await queue.names("inbox")).toEqual(["out.md", "out.md.delegated"]);
      await until("it is reported", () => delegation.errorCodes().includes("SECUTOOLS_NOT_CONFIGURED"));
    } finally {
      await keyless.stop();
    }

    await queue.app.start();
    expect(await queue.settled("done", 4)).toContain("out.md");
    expect(row(await queue.read("done", "out.md"), "provider")).toMatch(/^gemini /);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 0 });
  });

  test("that is out and cannot be asked about without a key, once its marker is removed", async () => {
    delegation = await startDelegation({ platform: { delayMs: 60_000 } });
    const { queue } = delegation;
    const inInbox = (name: string) => join(queue.project, ".agent-queue", "inbox", name);
    for (const name of ["out.md", "withdrawn.md", "kept.md"]) await queue.drop(name, delegable("Do it."));
    await until("they are out", () => delegation.events("delegated").length === 3);
    await queue.app.stop();

    const keyless = withoutKey(delegation);
    await keyless.start();
    try {
      await until("it is reported", () => delegation.errorCodes().includes("SECUTOOLS_NOT_CONFIGURED"));
      await rm(delegation.marker("out.md"));
      await rm(inInbox("withdrawn.md"));
      await expectDoneHere({ "out.md": "delegation is not configured any more" });
      await until("the other one is cancelled", () => delegation.events("cancelled").length === 1);
      expect(await queue.names("inbox")).toEqual(["kept.md", "kept.md.delegated"]);
      expect(delegation.asked("DELETE")).toBe(0);
    } finally {
      await keyless.stop();
    }
  });
});
