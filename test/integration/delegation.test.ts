import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Delegation, delegable, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

let delegation: Delegation;
afterEach(async () => await delegation.stop());

/** The footer's rows that say the same in every run. */
const said = (text: string) =>
  Object.fromEntries(["error", "route", "model", "attempts", "session"].map((name) => [name, row(text, name)]));

describe("a delegated task", () => {
  test("comes home with the text as it was, the result, and all that is known of its way", async () => {
    delegation = await startDelegation({ platform: { delayMs: 300 } });
    const { queue, platform } = delegation;
    await queue.drop("sum.md", delegable("Add it all up.", "title: Sums", "complexity_hint: low", "tags: [a, b]"));
    await until("it is out", () => delegation.events("delegated").length === 1);
    const marker = await readFile(delegation.marker("sum.md"), "utf8");
    expect(await queue.names("inbox")).toEqual(["sum.md", "sum.md.delegated"]);
    expect(await queue.settled("done", 1)).toEqual(["sum.md"]);

    const [job] = platform.jobs();
    const [seen] = delegation.events("seen");
    expect(JSON.parse(marker)).toMatchObject({ job: seen?.id, attempt: 1, remoteId: job?.id, provider: "gpu" });
    expect(job).toMatchObject({
      key: `${seen?.id}-1`,
      submission: {
        ...{ provider: "gpu", priority: "default", title: "Sums", prompt: "Add it all up.\n", tags: ["a", "b"] },
        metadata: { project: "alpha", task: "sum.md" },
      },
    });
    const text = await queue.read("done", "sum.md");
    expect(text).toMatch(/^---\nallow_delegation: true\n.*\n---\nAdd it all up\.\n\n\n<!-- ccl-queue:footer -->\n/s);
    expect(text).toContain("| ccl-queue | done |");
    expect(text).toContain('\n> Done, as far as a stand-in can: "Add it all up."\n');
    expect(said(text)).toEqual({
      ...{ error: null, route: "delegated: complexity_hint is low", model: "qwen3-32b", attempts: "1", session: null },
    });
    expect(row(text, "provider")).toBe(`gpu (${job?.id})`);
    expect(row(text, "run")).toBe(`${seen?.id}-1`);
    expect(row(text, "tokens")).toBe("4 in, 15 out");
    expect(row(text, "cost")).toBe("$0.0000");
    expect(row(text, "duration")).toMatch(/^\d+(\.\d+)? m?s$/);
    expect(Date.parse(row(text, "finished") ?? "")).toBeGreaterThan(Date.now() - 60_000);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 0, duplicates: 0 });
    await until("its end is told", () => delegation.events("done").length === 1);
    const decision = { route: "delegated", provider: "gpu", reason: "complexity_hint is low" };
    expect(delegation.events("done")).toMatchObject([{ decision, by: "gpu" }]);
    expect(await queue.witness()).toEqual([]);
    expect(queue.errors).toEqual([]);
  });

  test("that fails, is cancelled or is lost on the platform goes to failed/, with the reason", async () => {
    delegation = await startDelegation();
    const { queue } = delegation;
    await queue.drop("fails.md", delegable("secutools: fail quota No credit left", "preferred_ai: claude-api"));
    await queue.drop("cancelled.md", delegable("secutools: cancelled"));
    await queue.drop("lost.md", delegable("secutools: lose"));
    expect(await queue.settled("failed", 3)).toEqual(["cancelled.md", "fails.md", "lost.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);

    const fails = await queue.read("failed", "fails.md");
    expect(fails).toContain("| ccl-queue | failed |");
    expect(said(fails)).toEqual({
      error: "SECUTOOLS_JOB_FAILED: quota: No credit left",
      route: "delegated: preferred_ai is claude-api",
      ...{ model: "claude-sonnet", attempts: "1", session: null },
    });
    expect(row(fails, "provider")).toMatch(/^claude-api \(job-/);
    expect(row(fails, "tokens")).toBe("10 in, 0 out");
    expect(row(fails, "cost")).toBe("$0.0000");
    expect(row(await queue.read("failed", "cancelled.md"), "error")).toBe(
      "SECUTOOLS_JOB_CANCELLED: the task was cancelled on the platform",
    );
    const lost = await queue.read("failed", "lost.md");
    expect(said(lost)).toEqual({
      error: "SECUTOOLS_JOB_LOST: the platform no longer knows the task",
      ...{ route: "delegated: no complexity_hint", model: null, attempts: "1", session: null },
    });
    const { events } = delegation;
    await until("all three are told", async () => events("failed").length === 3);
    const told = new Map(events("failed").map((event) => [event.task.name, event]));
    expect(told.get("fails.md")).toMatchObject({
      by: "claude-api",
      reason: "SECUTOOLS_JOB_FAILED: quota: No credit left",
    });
    expect(await queue.names("done")).toEqual([]);
  });
});

test("Redis counts what was submitted, what became of it, and what each provider has cost", async () => {
  delegation = await startDelegation({ platform: { delayMs: 0 } });
  const { queue, platform } = delegation;
  const long = "word ".repeat(20_000);
  await queue.drop("one.md", delegable(long));
  await queue.drop("two.md", delegable(`${long}\nsecutools: fail broken`));
  await queue.drop("three.md", delegable("cheap", "preferred_ai: gpu"));
  await queue.drop("refused.md", delegable("secutools: refuse 422"));
  await queue.drop("withdrawn.md", delegable("secutools: delay 60000"));
  await queue.settled("done", 3);
  await queue.settled("failed", 1);
  await until("all are out", () => platform.stats().accepted === 4);
  await rm(join(queue.project, ".agent-queue/inbox/withdrawn.md"));
  await until("it is cancelled", () => delegation.events("cancelled").length === 1);
  const { "cost_usd:gemini": gemini, "cost_usd:gpu": gpu, ...counts } = await delegation.counters();
  expect(counts).toEqual({ submitted: 4, completed: 2, failed: 1, fallback: 1, cancelled: 1 });
  // 25,000 tokens in and out at $1.25 and $10 a million, and 25,000 in.
  expect(gemini).toBeCloseTo(0.3126, 3);
  expect(gpu).toBeLessThan(0.001);
  expect(gpu).toBeGreaterThan(0);
});
