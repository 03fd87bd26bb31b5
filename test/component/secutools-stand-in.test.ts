import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  ask,
  bodyOf,
  call,
  cancel,
  codeOf,
  get,
  idOf,
  JOBS,
  START,
  stage,
  submission,
  submit,
} from "../helpers/secutools-calls.ts";

const MIB = 1024 * 1024;
const { clock, start, outcome } = stage();

describe("a job", () => {
  test("is queued, runs and is completed", async () => {
    const platform = await start();
    const submitted = await submit(platform);
    expect(submitted).toMatchObject({ status: 201, json: { status: "queued" } });
    const id = idOf(submitted);
    const unknown = { model: null, result: null, error: null, cost_usd: null, usage: null, finished_at: null };
    const fresh = { id, status: "queued", provider: "gpu", created_at: "2026-11-21T09:30:00.000Z" };
    expect((await get(platform, id)).json).toEqual({ ...unknown, ...fresh });
    clock.now += 999;
    expect((await get(platform, id)).json).toEqual({ ...unknown, ...fresh, status: "running", model: "qwen3-32b" });
    clock.now += 1;
    const result = '## Birds\n\nDone, as far as a stand-in can: "Count the birds"\n';
    const completed = {
      ...fresh,
      status: "completed",
      model: "qwen3-32b",
      result,
      error: null,
      cost_usd: 0.0000049,
      usage: { input_tokens: 4, output_tokens: 15 },
      finished_at: "2026-11-21T09:30:01.000Z",
    };
    expect((await get(platform, id)).json).toEqual(completed);
    clock.now += 60_000;
    expect((await get(platform, id)).json).toEqual(completed);
  });

  test.each([
    ["gpu", "qwen3-32b", 0.0001],
    ["gemini", "gemini-2.5-pro", 0.00125],
    ["claude-api", "claude-sonnet", 0.003],
  ])("of %s is done with %s, which has its price", async (provider, model, cost) => {
    const prompt = `secutools: result \n${"x".repeat(4000 - 19)}`;
    const job = await outcome(await start(), submission(prompt, { provider }));
    expect(job.json).toMatchObject({
      provider,
      model,
      cost_usd: cost,
      usage: { input_tokens: 1000, output_tokens: 0 },
    });
  });

  test("takes no time when it shall take none", async () => {
    const platform = await start({ delayMs: 0 });
    expect(await submit(platform)).toMatchObject({ status: 201, json: { status: "completed" } });
  });

  test("takes a random time, the same for the same seed", async () => {
    const durations = async (seed: number) => {
      const platform = await start({ seed, delayMs: [10, 12] });
      const ids = await Promise.all(
        Array.from({ length: 40 }, async (_, index) => idOf(await submit(platform, "x", `job-${index}`))),
      );
      clock.now += 12;
      const jobs = await Promise.all(platform.jobs().map(({ id }) => get(platform, id)));
      expect(ids).toHaveLength(new Set(ids).size);
      return jobs.map(({ json }) => {
        const { created_at, finished_at } = z.object({ created_at: z.string(), finished_at: z.string() }).parse(json);
        return Date.parse(finished_at) - Date.parse(created_at);
      });
    };
    const first = await durations(1);
    expect(new Set(first)).toEqual(new Set([10, 11, 12]));
    expect(await durations(1)).toEqual(first);
    expect(await durations(2)).not.toEqual(first);
  });

  test("is cancelled while it is not over, and stays as it is afterwards", async () => {
    const platform = await start();
    const id = idOf(await submit(platform));
    clock.now += 500;
    expect(await cancel(platform, id)).toMatchObject({ status: 200, json: { id, status: "cancelled" } });
    clock.now += 5000;
    expect(await cancel(platform, id)).toMatchObject({ status: 200, json: { id, status: "cancelled" } });
    expect((await get(platform, id)).json).toMatchObject({
      ...{ status: "cancelled", result: null, error: null, cost_usd: null, usage: null },
      finished_at: "2026-11-21T09:30:00.500Z",
    });
  });

  test("that is over is not cancelled any more", async () => {
    const platform = await start();
    const done = await outcome(platform, "Hello");
    expect(await cancel(platform, idOf(done))).toMatchObject({ status: 200, json: { status: "completed" } });
    expect((await get(platform, idOf(done))).json).toEqual(done.json);
  });

  test("that was never accepted is unknown", async () => {
    const platform = await start();
    expect(await get(platform, "job-none")).toMatchObject({ status: 404 });
    expect(await cancel(platform, "job-none")).toMatchObject({ status: 404 });
  });
});

describe("one key is one job", () => {
  test("however often it is submitted", async () => {
    const platform = await start();
    const first = await submit(platform);
    clock.now += 1000;
    expect(await submit(platform)).toMatchObject({ status: 200, json: { id: idOf(first), status: "completed" } });
    const reordered = Object.fromEntries(Object.entries(submission()).reverse());
    expect(await submit(platform, reordered)).toMatchObject({ status: 200, json: { id: idOf(first) } });
    expect(platform.jobs()).toEqual([
      { id: idOf(first), key: "job-1", status: "completed", acceptedAt: START, submission: submission() },
    ]);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 2, duplicates: 0, refused: 0 });
  });

  test("also when it is submitted many times at once", async () => {
    const platform = await start();
    const answers = await Promise.all(Array.from({ length: 30 }, () => submit(platform)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(29);
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 29 });
  });

  test("and no other submission's", async () => {
    const platform = await start();
    await submit(platform);
    const other = await submit(platform, "Count the bees");
    expect([other.status, codeOf(other)]).toEqual([409, "idempotency_conflict"]);
    expect(platform.stats()).toMatchObject({ accepted: 1, replays: 0, refused: 1 });
  });

  test("another key is another job, and the witness sees that the work is done twice", async () => {
    const platform = await start();
    await submit(platform, "Hello", "job-1");
    await submit(platform, submission("Hello", { provider: "gemini", title: "x" }), "job-2");
    await submit(platform, "Hello", "job-2b");
    await submit(platform, submission("Hello", { metadata: { project: "/srv/birds", task: "b.md" } }), "job-3");
    await submit(platform, submission("Hello", { metadata: { project: "/srv/b", task: "count.md" } }), "job-4");
    await submit(platform, "Hello you", "job-5");
    expect(platform.stats()).toMatchObject({ accepted: 6, replays: 0, duplicates: 2 });
  });
});

describe("what is refused", () => {
  test.each([null, "", "wrong", "demo-key2"])("the API key %j", async (apiKey) => {
    const platform = await start();
    const id = idOf(await submit(platform));
    const answers = [
      await call(platform, "POST", JOBS, { apiKey, key: "job-2", body: bodyOf("Hello") }),
      await call(platform, "GET", `${JOBS}/${id}`, { apiKey }),
      await call(platform, "DELETE", `${JOBS}/${id}`, { apiKey }),
    ];
    expect(answers.map((answer) => [answer.status, codeOf(answer)])).toEqual(Array(3).fill([401, "unauthorized"]));
    expect(platform.jobs()).toMatchObject([{ status: "queued" }]);
  });

  test("the default key, when another is set", async () => {
    const platform = await start({ key: "other" });
    expect(await submit(platform)).toMatchObject({ status: 201 });
    expect(await call(platform, "GET", `${JOBS}/x`, { apiKey: "demo-key" })).toMatchObject({ status: 401 });
  });

  test.each([undefined, "", "two words", "x".repeat(256)])("the Idempotency-Key %j", async (key) => {
    const platform = await start();
    const answer = await call(platform, "POST", JOBS, { ...(key !== undefined && { key }), body: bodyOf("Hello") });
    expect([answer.status, codeOf(answer)]).toEqual([400, "idempotency_key"]);
    expect(platform.stats()).toMatchObject({ accepted: 0, refused: 1 });
  });

  test.each([undefined, "{", "undefined", Buffer.from('{"title":"\xff"}', "latin1")])(
    "the body %j, as not JSON",
    async (body) => {
      const platform = await start();
      const answer = await call(platform, "POST", JOBS, { key: "job-1", ...(body && { body }) });
      expect([answer.status, codeOf(answer)]).toEqual([400, "not_json"]);
    },
  );

  test("a body that is too large, whether or not it says how large it is", async () => {
    const platform = await start();
    const frame = bodyOf("").length;
    const fits = bodyOf("x".repeat(8 * MIB - frame));
    const tooLarge = bodyOf("x".repeat(8 * MIB - frame + 1));
    const stream = () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from(tooLarge));
          controller.close();
        },
      });
    for (const body of [tooLarge, stream()]) {
      expect(await call(platform, "POST", JOBS, { key: "job-1", body })).toMatchObject({ status: 413 });
    }
    expect(await call(platform, "POST", JOBS, { key: "job-1", body: fits })).toMatchObject({ status: 201 });
    expect(platform.stats()).toMatchObject({ accepted: 1, refused: 2 });
  });

  test.each(["secutools: dance", "secutools: delay soon", "secutools: errors -1", "secutools: refuse 500"])(
    "the script %j",
    async (prompt) => {
      const platform = await start();
      const answer = await submit(platform, prompt);
      expect([answer.status, codeOf(answer)]).toEqual([422, "invalid_script"]);
      expect(platform.jobs()).toEqual([]);
    },
  );

  test("any other path", async () => {
    const platform = await start();
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", JOBS],
      ["PUT", `${JOBS}/x`],
      ["POST", `${JOBS}/x/y`],
    ] as const) {
      expect(await ask(platform, method, path)).toMatchObject({ status: 404, json: { error: { code: "not_found" } } });
    }
  });
});
