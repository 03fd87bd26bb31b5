import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { type Delegation, delegable, prepareDelegation, row, startDelegation } from "../helpers/delegation.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;

let delegation: Delegation;
let aheadMs = 0;
const now = () => Date.now() + aheadMs;

afterEach(async () => {
  aheadMs = 0;
  await delegation.stop();
});

/** The distinct messages with this code, and how often each came. */
function complaints(code: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const error of delegation.queue.errors) {
    if (error instanceof QueueError && error.code === code)
      counts.set(error.message, (counts.get(error.message) ?? 0) + 1);
  }
  return counts;
}

const complained = (what: string) => [...complaints("SECUTOOLS_BAD_ANSWER").keys()].some((it) => it.includes(what));

test("answers that make no sense are reported and change nothing, until the task's time is over", async () => {
  const mostKiB = process.resourceUsage().maxRSS;
  delegation = await startDelegation({ now, more: "max_age: 2h", platform: { now } });
  const { queue, platform } = delegation;
  const tasks = { "html.md": "garbage", "strange.md": "status pondering", "huge.md": "huge 200" };
  for (const [name, verb] of Object.entries(tasks)) await queue.drop(name, delegable(`secutools: ${verb}`));
  await until("all are out", () => delegation.events("delegated").length === 3);
  const before = await Promise.all(Object.keys(tasks).map(async (name) => await queue.read("inbox", name)));
  for (const what of ["it is not JSON", "status: Invalid option", "it is too large"])
    await until(`a complaint: ${what}`, () => complained(what));

  const asked = delegation.asked("GET");
  aheadMs += HOUR_MS;
  await until("each is asked about again", () => delegation.asked("GET") >= asked + 3);
  expect(await queue.names("inbox")).toEqual(
    Object.keys(tasks)
      .flatMap((name) => [name, `${name}.delegated`])
      .sort(),
  );
  expect(await Promise.all(Object.keys(tasks).map(async (name) => await queue.read("inbox", name)))).toEqual(before);
  expect(await queue.names("failed")).toEqual([]);
  expect(await queue.names("done")).toEqual([]);

  aheadMs += HOUR_MS;
  expect(await queue.settled("failed", 3)).toEqual(["html.md", "huge.md", "strange.md"]);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  const ends = await Promise.all(
    Object.keys(tasks).map(async (name) => row(await queue.read("failed", name), "error")),
  );
  const problems = ["it is not JSON", expect.stringMatching(/^status: Invalid option/), "it is too large"];
  const end = /^SECUTOOLS_JOB_EXPIRED: the platform did not finish it within 2 h: .* its answer is bad: (.*)$/;
  expect(ends.map((error) => end.exec(error ?? "")?.[1])).toEqual(problems);
  expect(delegation.asked("DELETE")).toBe(3);
  expect(delegation.errorCodes()).toEqual(["SECUTOOLS_BAD_ANSWER"]);
  expect(platform.stats()).toMatchObject({ accepted: 3, replays: 0 });
  // A single answer of 200 MB is more than that.
  expect(process.resourceUsage().maxRSS - mostKiB).toBeLessThan(160 * 1024);
});

test("a job that goes on for too long is cancelled there and fails here", async () => {
  delegation = await startDelegation({ now, more: "max_age: 2h", platform: { now, delayMs: 48 * HOUR_MS } });
  const { queue, platform } = delegation;
  await queue.drop("endless.md", delegable("Do it."));
  await until("it is out", () => delegation.events("delegated").length === 1);
  aheadMs += HOUR_MS;
  const asked = delegation.asked("GET");
  await until("it is asked about", () => delegation.asked("GET") > asked);
  expect(await queue.names("failed")).toEqual([]);
  aheadMs += HOUR_MS;
  expect(await queue.settled("failed", 1)).toEqual(["endless.md"]);
  expect(row(await queue.read("failed", "endless.md"), "error")).toMatch(/^SECUTOOLS_JOB_EXPIRED: /);
  expect(platform.jobs()).toMatchObject([{ status: "cancelled" }]);
});

/** Writes a task and a marker that leads out of the platform's jobs. */
async function dropWithBadMarker(name: string): Promise<void> {
  const { queue } = delegation;
  const text = delegable("Do it.");
  await queue.drop(name, text);
  const sighting = await sight(join(queue.project, ".agent-queue", "inbox", name));
  if (sighting === null) throw new Error("it is gone");
  const marker = {
    ...{ job: `bad${name.replace(".md", "")}`, attempt: 1, remoteId: "../../admin", provider: "gemini", text },
    ...{ reason: "no hint", submittedAt: new Date(now()).toISOString(), fingerprint: fingerprint(sighting) },
  };
  await writeFile(delegation.marker(name), JSON.stringify(marker));
}

test("an id in a marker that leads elsewhere is never asked for, and its task ends when its time is over", async () => {
  delegation = await prepareDelegation({ now, more: "max_age: 2h" });
  const { queue, platform } = delegation;
  await dropWithBadMarker("led.md");
  await dropWithBadMarker("withdrawn.md");
  await queue.app.start();
  await until("both are looked after", () => (complaints("SECUTOOLS_BAD_ANSWER").values().next().value ?? 0) >= 2);
  expect([...complaints("SECUTOOLS_BAD_ANSWER").keys()]).toEqual(["this is not an id of a job on secutools"]);
  expect(await queue.names("inbox")).toHaveLength(4);

  await rm(join(queue.project, ".agent-queue", "inbox", "withdrawn.md"));
  await until("it is cancelled", () => delegation.events("cancelled").length === 1);
  expect(await delegation.markers()).toEqual(["led.md.delegated"]);
  aheadMs += 2 * HOUR_MS;
  expect(await queue.settled("failed", 1)).toEqual(["led.md"]);
  expect(row(await queue.read("failed", "led.md"), "error")).toMatch(/^SECUTOOLS_JOB_EXPIRED: /);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(platform.requests()).toEqual([]);
});

test("a marker that nobody can read is reported and left to a person, with its task", async () => {
  delegation = await startDelegation({ platform: { delayMs: 60_000 } });
  const { queue, platform } = delegation;
  await queue.drop("task.md", delegable("Do it."));
  await until("it is out", () => delegation.events("delegated").length === 1);
  const [id] = platform.jobs().map((job) => job.id);
  // Whoever has read it once does not read it again before the task comes home.
  await queue.app.stop();
  await writeFile(delegation.marker("task.md"), `{"remoteId": "${id}"}`);
  await queue.app.start();
  await until("it is reported", () => complaints("MARKER_INVALID").size > 0);
  expect([...complaints("MARKER_INVALID").keys()]).toEqual([
    `${delegation.marker("task.md")} does not say which job it stands for`,
  ]);
  expect(await queue.names("inbox")).toEqual(["task.md", "task.md.delegated"]);

  // As the error's hint says: without it, the task is done anew.
  await rm(delegation.marker("task.md"));
  await until("it is out again", () => platform.stats().accepted === 2);
  expect(platform.jobs().map(({ status }) => status)).toEqual(["cancelled", "queued"]);
});
