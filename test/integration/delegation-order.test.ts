import { describe, test } from "vitest";
import { delegable, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

// They wait for most of their time.
describe.concurrent("the local pool and the platform do not wait for each other", () => {
  test("a pool that is full delays no delegated task", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ sessions: 1 });
    onTestFinished(delegation.stop);
    const { queue } = delegation;
    const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
    await queue.drop("long.md", "agent: work 60s\n");
    await until("the session is busy", async () => (await submits()).length === 1);
    await queue.drop("next.md", "Do it next.\n");
    for (const name of ["a.md", "b.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    expect(await queue.settled("done", 2)).toEqual(["a.md", "b.md"]);
    expect(await queue.names("inbox")).toEqual(expect.arrayContaining(["long.md.dispatched", "next.md"]));
  });

  test("a platform that hangs delays no local task", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ more: "concurrency: 2" });
    onTestFinished(delegation.stop);
    const { queue, gate } = delegation;
    gate.hold("POST", "question");
    gate.hold("GET", "question");
    for (const name of ["a.md", "b.md", "c.md"]) await queue.drop(name, delegable(`Do ${name}.`));
    await until("all that may be asked is asked", () => gate.held() === 2);
    for (const name of ["x.md", "y.md"]) await queue.drop(name, `Do ${name}.\n`);
    expect(await queue.settled("done", 2)).toEqual(["x.md", "y.md"]);
    expect(gate.held()).toBe(2);
    gate.release();
    expect(await queue.settled("done", 5)).toEqual(["a.md", "b.md", "c.md", "x.md", "y.md"]);
  });

  test("the rate limit leaves the order alone: the most urgent goes next", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ more: "concurrency: 1, rate_limit: 1" });
    onTestFinished(delegation.stop);
    const { queue, gate, platform } = delegation;
    gate.hold("POST", "question");
    for (const name of ["low-1.md", "low-2.md"]) {
      await queue.drop(name, delegable(`Do ${name}.`, "priority: low"));
      await until("it is in the queue", () => delegation.events("routed").some(({ task }) => task.name === name));
    }
    await until("the first is on its way", () => gate.held() === 1);
    await queue.drop("critical.md", delegable("Do it now.", "priority: critical"));
    await until("that too is in the queue", () => delegation.events("routed").length === 3);
    gate.release();
    await queue.settled("done", 3);
    const submissions = platform.jobs().map(({ submission }) => submission);
    expect(submissions.map(({ metadata }) => metadata.task)).toEqual(["low-1.md", "critical.md", "low-2.md"]);
    expect(submissions.map(({ priority }) => priority)).toEqual(["low", "critical", "low"]);
  });

  test("the rate limit holds for a drop at once", async ({ expect, onTestFinished }) => {
    const delegation = await startDelegation({ more: "rate_limit: 5" });
    onTestFinished(delegation.stop);
    const { queue, platform } = delegation;
    for (let index = 0; index < 27; index += 1) await queue.drop(`${index}.md`, delegable(`Do ${index}.`));
    await queue.settled("done", 27);
    const times = platform
      .requests()
      .filter(({ method }) => method === "POST")
      .map(({ at }) => at);
    expect(times).toHaveLength(27);
    // Windows of a second, one after the other: six of them are needed. The first submission may arrive late in its own.
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(4_500);
  });
});
