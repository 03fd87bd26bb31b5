import { describe, expect, test } from "vitest";
import {
  ask,
  bodyOf,
  call,
  cancel,
  differences,
  get,
  idOf,
  JOBS,
  open,
  stage,
  submit,
} from "../helpers/secutools-calls.ts";
import { until } from "../helpers/until.ts";

const MIB = 1024 * 1024;
const { clock, start, outcome } = stage();

describe("a prompt can ask for", () => {
  test("another time, and another result", async () => {
    const platform = await start();
    const id = idOf(await submit(platform, "Hi\n  secutools: delay 5000 \r\nsecutools: result One\\ntwo\n"));
    clock.now += 4999;
    expect((await get(platform, id)).json).toMatchObject({ status: "running" });
    clock.now += 1;
    expect((await get(platform, id)).json).toMatchObject({ status: "completed", result: "One\ntwo" });
  });

  test.each([
    ["fail quota No credit left", { code: "quota", message: "No credit left" }],
    ["fail quota", { code: "quota", message: "" }],
    ["fail", { code: "unknown", message: "" }],
  ])("an end as failed: %s", async (line, error) => {
    const job = await outcome(await start(), `secutools: ${line}`);
    expect(job.json).toMatchObject({ status: "failed", error, result: null, usage: { output_tokens: 0 } });
  });

  test("an end as cancelled by the platform", async () => {
    const job = await outcome(await start(), "secutools: cancelled");
    expect(job.json).toMatchObject({ status: "cancelled", result: null, error: null, cost_usd: null });
    expect(job.json).toMatchObject({ finished_at: "2026-11-21T09:30:01.000Z" });
  });

  test("being lost", async () => {
    const platform = await start();
    const submitted = await submit(platform, "secutools: lose");
    expect(submitted.status).toBe(201);
    expect(await get(platform, idOf(submitted))).toMatchObject({ status: 404 });
    expect(await cancel(platform, idOf(submitted))).toMatchObject({ status: 404 });
    expect(platform.stats()).toMatchObject({ accepted: 1, requests: { GET: { 404: 1 }, DELETE: { 404: 1 } } });
  });

  test.each([400, 401, 403, 404, 408, 409, 413, 422, 451])("a refusal with %i", async (status) => {
    const platform = await start();
    expect(await submit(platform, `secutools: refuse ${status}`)).toMatchObject({ status });
    expect(await submit(platform, `secutools: refuse ${status}`)).toMatchObject({ status });
    expect(platform.stats()).toMatchObject({ accepted: 0, refused: status === 408 ? 0 : 2 });
  });

  test("errors, then limits, then silence, before there is an answer, for each key anew", async () => {
    const platform = await start({ faults: { retryAfterS: 7 } });
    const prompt = "secutools: errors 2\nsecutools: limited 1\nsecutools: drop 2";
    for (const [index, key] of ["job-1", "job-2"].entries()) {
      expect(await submit(platform, prompt, key)).toMatchObject({ status: 503 });
      expect(await submit(platform, prompt, key)).toMatchObject({ status: 503 });
      const limited = await submit(platform, prompt, key);
      expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
      expect(platform.stats().accepted).toBe(index);
      await expect(submit(platform, prompt, key)).rejects.toThrow("fetch failed");
      expect(platform.stats().accepted).toBe(index + 1);
      await expect(submit(platform, prompt, key)).rejects.toThrow("fetch failed");
      const answered = await submit(platform, prompt, key);
      expect(answered).toMatchObject({ status: 200, json: { id: platform.jobs()[index]?.id } });
    }
    expect(platform.stats()).toMatchObject({
      ...{ accepted: 2, replays: 4, duplicates: 1, refused: 0 },
      requests: { POST: { 503: 4, 429: 2, dropped: 4, 200: 2 } },
    });
  });

  test("jobs whose key is forgotten: the same submission is done twice, and the witness sees it", async () => {
    const platform = await start();
    const ids = [];
    for (let tries = 0; tries < 4; tries += 1) ids.push(idOf(await submit(platform, "secutools: forget 2")));
    expect(new Set(ids).size).toBe(3);
    expect(ids[3]).toBe(ids[2]);
    expect(platform.jobs().map(({ id }) => id)).toEqual(ids.slice(0, 3));
    expect(platform.stats()).toMatchObject({ accepted: 3, replays: 1, duplicates: 2 });
  });

  test("a refusal as too many requests, which says when to come back", async () => {
    const refused = await submit(await start(), "secutools: refuse 429");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  });

  test("an answer that is not described: HTML in place of the job's id", async () => {
    const platform = await start();
    const answer = await ask(platform, "POST", JOBS, { key: "job-1", body: bodyOf("secutools: accept-garbage") });
    expect(answer).toMatchObject({ status: 201, text: expect.stringContaining("<!doctype html>") });
    expect(differences("POST", JOBS, answer)).toHaveLength(1);
    expect(platform.stats().accepted).toBe(1);
  });

  test("HTML in place of the job", async () => {
    const platform = await start();
    const path = `${JOBS}/${idOf(await submit(platform, "secutools: garbage"))}`;
    const answer = await ask(platform, "GET", path);
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining("<!doctype html>") });
    expect(differences("GET", path, answer)).toHaveLength(1);
    expect(await call(platform, "DELETE", path)).toMatchObject({ json: { status: "cancelled" } });
  });

  test("a status that nobody knows", async () => {
    const platform = await start();
    const path = `${JOBS}/${idOf(await submit(platform, "secutools: status paused"))}`;
    const answer = await ask(platform, "GET", path);
    expect(answer).toMatchObject({ status: 200, json: { status: "paused" } });
    expect(differences("GET", path, answer)).toHaveLength(1);
  });

  test.each(["../x", "a b", "", "..", "ü/#?%", "x".repeat(129)])("the id %j", async (id) => {
    const platform = await start();
    const answer = await ask(platform, "POST", JOBS, { key: "job-1", body: bodyOf(`secutools: id ${id}`) });
    expect(answer).toMatchObject({ status: 201, json: { id } });
    expect(differences("POST", JOBS, answer)).toHaveLength(1);
  });

  test("an id that is fine, and the job is found by it", async () => {
    const platform = await start();
    expect(await submit(platform, "secutools: id a.b_c:d-1")).toMatchObject({ json: { id: "a.b_c:d-1" } });
    expect(await get(platform, "a.b_c:d-1")).toMatchObject({ status: 200 });
  });

  test("a large result, once it is over", async () => {
    const platform = await start();
    const id = idOf(await submit(platform, "secutools: huge 1"));
    expect((await get(platform, id)).json).toMatchObject({ status: "queued", result: null });
    clock.now += 1000;
    expect((await get(platform, id)).json).toMatchObject({
      ...{ status: "completed", result: "x".repeat(MIB) },
      usage: { output_tokens: MIB / 4 },
    });
  });

  test("a result that no memory holds", async () => {
    const platform = await start({ delayMs: 0 });
    const id = idOf(await submit(platform, "secutools: huge 1000000"));
    const answer = await open(platform, id);
    expect(answer.headers.has("content-length")).toBe(false);
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length;
      if (bytes > 20 * MIB) break;
    }
    await until("the answer is given up", () => platform.stats().inFlight === 0);
  });

  test("an answer that arrives little by little", async () => {
    const platform = await start({ delayMs: 0 });
    const id = idOf(await submit(platform, "secutools: slow 200"));
    const begun = performance.now();
    const answer = await open(platform, id);
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body ?? []) chunks.push(chunk);
    expect(performance.now() - begun).toBeGreaterThan(190);
    expect(chunks.length).toBeGreaterThan(3);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ id, status: "completed" });
  });
});
