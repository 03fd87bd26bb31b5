import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type Delegation, delegable, prepareDelegation, row } from "../helpers/delegation.ts";
import { jsonLines } from "../helpers/json-lines.ts";
import { until } from "../helpers/until.ts";

const TASKS = 1_000;
const CONCURRENCY = 40;
const FAULTS = { errors: 0.1, limits: 0.05, drops: 0.02 };
const STATUSES = { errors: ["500", "502", "503"], limits: ["429"], drops: ["dropped"] } as const;
/** Six tries in a row fail now and then: that task is done here. */
const FALLBACKS = 5;

let delegation: Delegation;
let dir: string;
afterEach(async () => {
  await delegation.stop();
  await rm(dir, { recursive: true });
});

const line = z.discriminatedUnion("event", [
  z.object({ event: z.literal("accepted"), id: z.string(), key: z.string(), task: z.string() }),
  z.object({ event: z.literal("request") }),
]);

async function prepare(log: string): Promise<void> {
  delegation = await prepareDelegation({
    poll: "1s",
    more: `concurrency: ${CONCURRENCY}, rate_limit: 2000`,
    platform: { delayMs: [0, 1_000], seed: 7, faults: { ...FAULTS, retryAfterS: 1 }, log },
  });
}

/** Each fault came as often as it was configured, within four standard deviations. */
function expectFaults(answers: Readonly<Record<string, number>>): void {
  const requests = Object.values(answers).reduce((sum, count) => sum + count, 0);
  for (const fault of ["errors", "limits", "drops"] as const) {
    const counts = STATUSES[fault].map((status) => answers[status] ?? 0);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const expected = requests * FAULTS[fault];
    const deviation = Math.sqrt(expected * (1 - FAULTS[fault]));
    const distance = Math.abs(counts.reduce((sum, count) => sum + count) - expected);
    expect(distance, `${counts} ${fault} of ${requests} requests`).toBeLessThan(4 * deviation);
  }
}

test("1,000 tasks on a platform that errs, limits and drops: each is accepted once and comes home once", async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-thousand-"));
  const log = join(dir, "platform.jsonl");
  await prepare(log);
  const { queue, platform, gate } = delegation;
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  onTestFinished(() => void process.off("warning", warn));
  const names = Array.from({ length: TASKS }, (_, index) => `task-${String(index).padStart(3, "0")}.md`);
  await Promise.all(names.map(async (name) => await queue.drop(name, delegable(`Do ${name}.\nsecutools: slow 30`))));
  gate.hold("POST", "question");
  await queue.app.start();
  await until("as many are submitted at once as may be", () => gate.held() === CONCURRENCY, 30_000);
  gate.release();
  await queue.settled("done", TASKS, 75_000);
  await until("nothing is left", async () => (await queue.names("inbox")).length === 0);

  // Each name once, and no second copy under another.
  expect(await queue.names("done")).toEqual(names);
  expect(await queue.names("failed")).toEqual([]);
  await until("their ends are told", () => delegation.events("done").length >= TASKS);
  expect(delegation.events("done")).toHaveLength(TASKS);
  expect(delegation.events("cancelled")).toEqual([]);
  const fallbacks = delegation.events("routed").filter(({ decision }) => decision.reason.startsWith("secutools "));
  expect(fallbacks.length).toBeLessThanOrEqual(FALLBACKS);
  expect(await queue.witness().then((all) => all.filter(({ event }) => event === "start"))).toHaveLength(
    fallbacks.length,
  );

  const accepted = jsonLines(await readFile(log, "utf8"), line).filter((it) => it.event === "accepted");
  expect(new Set(accepted.map(({ key }) => key)).size).toBe(accepted.length);
  const ids = new Map(accepted.map(({ task, id }) => [task, id]));
  expect(ids.size).toBe(accepted.length);
  for (const name of names) {
    const text = await queue.read("done", name);
    if (fallbacks.some(({ task }) => task.name === name)) expect(row(text, "session")).not.toBeNull();
    else expect(row(text, "provider")).toBe(`gemini (${ids.get(name)})`);
  }

  // The platform was as bad as it was meant to be, and was never asked for more at once than allowed.
  const { requests, maxInFlight, duplicates, refused, replays } = platform.stats();
  expect({ duplicates, refused }).toEqual({ duplicates: 0, refused: 0 });
  expect(replays).toBeGreaterThan(0);
  for (const method of ["POST", "GET"]) expectFaults(requests[method] ?? {});
  expect(maxInFlight).toBeLessThanOrEqual(CONCURRENCY);
  expect(maxInFlight).toBeGreaterThan(CONCURRENCY / 2);

  const submitted = TASKS - fallbacks.length;
  const { "cost_usd:gemini": costUsd, ...counts } = await delegation.counters();
  expect({ fallback: 0, ...counts }).toEqual({ submitted, completed: submitted, fallback: fallbacks.length });
  expect(costUsd).toBeGreaterThan(0);
  expect(delegation.errorCodes()).toEqual(["SECUTOOLS_UNREACHABLE"]);
  expect(warnings).toEqual([]);
}, 90_000);
