import { afterEach, describe, expect, test } from "vitest";
import { type StandIn, startSecutools } from "../../demo/secutools/server.js";
import { Secutools, type SecutoolsOptions, type Submission } from "../../src/workers/secutools/client.ts";
import { SUBMISSION } from "../helpers/hostile-platform.ts";

type StandInOptions = Parameters<typeof startSecutools>[0];

const KEY = "stand-in-key";
const SOON = { pollMs: 5, timeoutMs: 10_000 };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(
  options: StandInOptions = {},
  clientOptions: Partial<SecutoolsOptions> = {},
): Promise<{ platform: StandIn; client: Secutools }> {
  const platform = await startSecutools({ key: KEY, delayMs: 30, ...options });
  open.push(platform);
  const retry = { attempts: 6, baseMs: 1, maxMs: 5 };
  const client = new Secutools({ url: platform.url, apiKey: KEY, concurrency: 5, retry, ...clientOptions });
  open.push(client);
  return { platform, client };
}

/** A submission whose prompt asks something of the stand-in. */
function asking(line: string): Submission {
  return { ...SUBMISSION, prompt: `Do it.\nsecutools: ${line}\n` };
}

describe("with the stand-in, a job", () => {
  test("goes from its submission to its result", async () => {
    const { platform, client } = await start();
    const { id } = await client.submitJob(SUBMISSION, "task-1");
    const job = await client.waitForResult(id, SOON);
    expect(job).toMatchObject({ id, status: "completed", provider: "gemini", model: "gemini-2.5-pro", error: null });
    expect(job?.result).toContain(SUBMISSION.title);
    expect(job?.costUsd).toBeGreaterThan(0);
    expect(job?.usage?.input).toBeGreaterThan(0);
    expect(platform.jobs()).toMatchObject([{ id, key: "task-1", submission: SUBMISSION }]);
  });

  test.each<[string, object]>([
    ["fail too_hard It is too hard.", { status: "failed", error: { code: "too_hard", message: "It is too hard." } }],
    ["cancelled", { status: "cancelled" }],
    ["result # Done", { status: "completed", result: "# Done" }],
    ["slow 200", { status: "completed" }],
  ])("ends as it is asked to: %s", async (line, expected) => {
    const { client } = await start();
    const { id } = await client.submitJob(asking(line), "k");
    expect(await client.waitForResult(id, SOON)).toMatchObject(expected);
  });

  test("is null when it is lost", async () => {
    const { client } = await start();
    const { id } = await client.submitJob(asking("lose"), "k");
    expect(await client.getJob(id)).toBeNull();
    expect(await client.waitForResult(id, SOON)).toBeNull();
    expect(await client.cancelJob(id)).toBe(false);
  });

  test("is cancelled once", async () => {
    const { client } = await start({ delayMs: 60_000 });
    const { id } = await client.submitJob(SUBMISSION, "k");
    expect(await client.cancelJob(id)).toBe(true);
    expect(await client.cancelJob(id)).toBe(true);
    expect(await client.getJob(id)).toMatchObject({ status: "cancelled" });
  });

  test.each(["errors 2", "limited 2", "drop 2", "drop 1\nsecutools: errors 1"])(
    "is submitted through trouble, and once: %s",
    async (lines) => {
      const { platform, client } = await start({ faults: { retryAfterS: 0 } });
      const { id } = await client.submitJob(asking(lines), "k");
      expect(platform.jobs().map((job) => job.id)).toEqual([id]);
      expect(platform.stats()).toMatchObject({ accepted: 1, duplicates: 0 });
      expect(platform.requests()).toHaveLength(3);
    },
  );

  test.each<[string, string]>([
    ["garbage", "SECUTOOLS_BAD_ANSWER"],
    ["status paused", "SECUTOOLS_BAD_ANSWER"],
    ["huge 200", "SECUTOOLS_BAD_ANSWER"],
  ])("cannot be told of: %s", async (line, code) => {
    const { client } = await start({ delayMs: 0 });
    const { id } = await client.submitJob(asking(line), "k");
    await expect(client.getJob(id)).rejects.toMatchObject({ code });
  });

  test.each<[string, string]>([
    ["accept-garbage", "SECUTOOLS_BAD_ANSWER"],
    ["id ../x", "SECUTOOLS_BAD_ANSWER"],
    ["refuse 422", "SECUTOOLS_REFUSED"],
    ["errors 99", "SECUTOOLS_UNREACHABLE"],
  ])("is not taken: %s", async (line, code) => {
    const { client } = await start();
    await expect(client.submitJob(asking(line), "k")).rejects.toMatchObject({ code });
  });

  test("needs the platform's key", async () => {
    const { platform, client } = await start({}, { apiKey: "another" });
    await expect(client.submitJob(SUBMISSION, "k")).rejects.toMatchObject({
      code: "SECUTOOLS_REFUSED",
      message: expect.stringContaining("401"),
    });
    expect(platform.jobs()).toEqual([]);
  });

  test("is asked about again when the platform is back", async () => {
    const { platform, client } = await start();
    const { id } = await client.submitJob(SUBMISSION, "k");
    platform.pause();
    await expect(client.getJob(id)).rejects.toMatchObject({ code: "SECUTOOLS_UNREACHABLE" });
    platform.resume();
    expect(await client.waitForResult(id, SOON)).toMatchObject({ status: "completed" });
  });
});

test("with the stand-in at its worst, each of many submissions is one job, and the limit is kept", async () => {
  const faults = { errors: 0.15, limits: 0.1, drops: 0.15, retryAfterS: 0 };
  // So many tries that none gives up: 0.4 to the power of 30.
  const retry = { attempts: 30, baseMs: 1, maxMs: 3 };
  const { platform, client } = await start({ faults, seed: 7, delayMs: 0 }, { retry });
  const tasks = Array.from({ length: 80 }, (_, index) => ({ ...SUBMISSION, prompt: `Task ${index}` }));
  const accepted = await Promise.all(tasks.map((task, index) => client.submitJob(task, `task${index}-1`)));
  const jobs = await Promise.all(accepted.map(({ id }) => client.waitForResult(id, SOON)));
  expect(jobs.map((job) => job?.status)).toEqual(tasks.map(() => "completed"));
  const byId = new Map(platform.jobs().map((job) => [job.id, job.submission.prompt]));
  expect(accepted.map(({ id }) => byId.get(id))).toEqual(tasks.map(({ prompt }) => prompt));
  const stats = platform.stats();
  expect(stats).toMatchObject({ accepted: 80, duplicates: 0, refused: 0 });
  expect(stats.replays).toBeGreaterThan(0);
  expect(stats.maxInFlight).toBeLessThanOrEqual(5);
});
