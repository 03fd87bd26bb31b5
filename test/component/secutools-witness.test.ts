import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { answered, bodyOf, cancel, get, idOf, JOBS, open, START, stage, submit } from "../helpers/secutools-calls.ts";
import { until } from "../helpers/until.ts";

const { clock, start } = stage();

describe("the witness", () => {
  test("tells of each request", async () => {
    const platform = await start();
    const id = idOf(await submit(platform));
    clock.now += 5;
    await get(platform, id);
    await cancel(platform, "job-none");
    expect(platform.requests()).toEqual([
      { at: START, method: "POST", path: JOBS, key: "job-1", status: 201 },
      { at: START + 5, method: "GET", path: `${JOBS}/${id}`, key: null, status: 200 },
      { at: START + 5, method: "DELETE", path: `${JOBS}/job-none`, key: null, status: 404 },
    ]);
    expect(platform.stats()).toEqual({
      ...{ accepted: 1, replays: 0, duplicates: 0, refused: 0, inFlight: 0, maxInFlight: 1 },
      requests: { POST: { 201: 1 }, GET: { 200: 1 }, DELETE: { 404: 1 } },
    });
  });

  test("counts how many requests are open at once", async () => {
    const platform = await start({ delayMs: 0 });
    const id = idOf(await submit(platform, "secutools: slow 60000"));
    const answers = await Promise.all([open(platform, id), open(platform, id), open(platform, id)]);
    expect(platform.stats()).toMatchObject({ inFlight: 3, maxInFlight: 3 });
    await Promise.all(answers.map(({ body }) => body?.cancel()));
    await until("they are given up", () => platform.stats().inFlight === 0);
    await get(platform, "job-none");
    expect(platform.stats()).toMatchObject({ maxInFlight: 3 });
  });

  test("sees requests overlap whose answers take their time", async () => {
    const platform = await start({ latencyMs: 60_000 });
    const answers = Promise.all(["job-1", "job-2", "job-3"].map((key) => answered(submit(platform, "Hello", key))));
    await until("all are under way", () => platform.stats().inFlight === 3);
    await platform.close();
    expect(await answers).toEqual([null, null, null]);
    await until("they are given up", () => platform.stats().inFlight === 0);
    expect(platform.stats()).toMatchObject({ accepted: 3, maxInFlight: 3, requests: { POST: { dropped: 3 } } });
  });

  test("has seen a request before its answer takes its time", async () => {
    const platform = await start({ latencyMs: 30 });
    const begun = performance.now();
    expect(await submit(platform)).toMatchObject({ status: 201 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(29);
    expect(platform.requests()).toMatchObject([{ status: 201 }]);
  });

  test("counts a request as unanswered whose client has not waited", async () => {
    const platform = await start({ latencyMs: 60_000 });
    const gone = new AbortController();
    const headers = { authorization: `Bearer ${platform.key}`, "idempotency-key": "job-1" };
    const init = { method: "POST", headers, body: bodyOf("Hello"), signal: gone.signal };
    const left = expect(fetch(`${platform.url}${JOBS}`, init)).rejects.toThrow("aborted");
    await until("the job is accepted", () => platform.stats().accepted === 1);
    gone.abort();
    await left;
    await until("it is given up", () => platform.requests()[0]?.status === "dropped");
    expect(platform.stats()).toMatchObject({ accepted: 1, inFlight: 0 });
  });

  test("writes down each job before it is answered, and each request once", async () => {
    const directory = mkdtempSync(join(tmpdir(), "secutools-"));
    try {
      const log = join(directory, "log");
      const platform = await start({ log });
      const id = idOf(await submit(platform, "secutools: delay 1"));
      const lines = () =>
        readFileSync(log, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
      expect(lines()).toEqual([
        {
          ...{ event: "accepted", at: START, id, key: "job-1", provider: "gpu", priority: "default" },
          ...{ project: "/srv/birds", task: "count.md", contentSha256: expect.stringMatching(/^[\da-f]{64}$/) },
        },
        { event: "request", at: START, method: "POST", path: JOBS, key: "job-1", status: 201 },
      ]);
      await submit(platform, "secutools: delay 1");
      await expect(submit(platform, "secutools: drop 1", "job-2")).rejects.toThrow("fetch failed");
      const later = lines().slice(2);
      expect(later.map(({ event, key }) => [event, key])).toEqual([
        ["request", "job-1"],
        ["accepted", "job-2"],
        ["request", "job-2"],
      ]);
      expect(later.map(({ status }) => status)).toEqual([200, undefined, "dropped"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
