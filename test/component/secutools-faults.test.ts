import { describe, expect, test } from "vitest";
import type { Options } from "../../demo/secutools/options.js";
import { startSecutools } from "../../demo/secutools/server.js";
import { answered, bodyOf, call, get, idOf, JOBS, open, stage, submit } from "../helpers/secutools-calls.ts";

const { start } = stage();

describe("what goes wrong by chance", () => {
  const faults = { errors: 0.2, limits: 0.2, drops: 0.2, retryAfterS: 3 };

  /** What becomes of 60 submissions, each with so many polls after it. */
  async function story(options: Options, polls = 0): Promise<(number | "dropped")[]> {
    const platform = await start({ faults, ...options });
    const answers: (number | "dropped")[] = [];
    for (let index = 0; index < 60; index++) {
      const answer = await answered(submit(platform, "Hello", `job-${index}`));
      answers.push(answer?.status ?? "dropped");
      for (let poll = 0; poll < polls; poll++) await answered(get(platform, "job-none"));
    }
    return answers;
  }

  test("is the same for the same seed, however often jobs are asked for", async () => {
    const first = await story({ seed: 5 });
    expect(new Set(first)).toEqual(new Set([201, 429, 500, 502, 503, "dropped"]));
    expect(await story({ seed: 5 }, 1)).toEqual(first);
    expect(await story({ seed: 6 })).not.toEqual(first);
  });

  test("befalls as many requests as it shall", async () => {
    const platform = await start({ faults });
    for (let index = 0; index < 200; index++) await answered(get(platform, "job-none"));
    const { 404: unknown = 0, 429: limits = 0, dropped = 0, ...errors } = platform.stats().requests["GET"] ?? {};
    const sum = Object.values(errors).reduce((total, count) => total + count, 0);
    expect(unknown + limits + dropped + sum).toBe(200);
    for (const count of [limits, dropped, sum]) expect(Math.abs(count - 40)).toBeLessThan(20);
  });

  test.each<[string, object, number | "dropped"]>([
    ["errors", { errors: 1 }, 500],
    ["limits", { limits: 1 }, 429],
    ["drops", { drops: 1 }, "dropped"],
  ])("is nothing but %s", async (_what, only, status) => {
    const platform = await start({ faults: only });
    const answers = await Promise.all(
      ["POST", "GET", "DELETE"].map((method) =>
        answered(
          call(platform, method, method === "POST" ? JOBS : `${JOBS}/x`, {
            ...(method === "POST" && { key: "job-1", body: bodyOf("Hello") }),
          }),
        ),
      ),
    );
    const seen = answers.map((answer) => (answer === null ? "dropped" : answer.status));
    expect(seen.map((each) => (Number(each) >= 500 ? 500 : each))).toEqual(Array(3).fill(status));
    expect(platform.stats().accepted).toBe(status === "dropped" ? 1 : 0);
  });

  test("does not keep a client that goes on trying from having each job done once", async () => {
    const platform = await start({ faults, delayMs: 0 });
    for (let index = 0; index < 40; index++) {
      let isAccepted = false;
      while (!isAccepted) {
        const answer = await answered(submit(platform, `Job ${index}`, `job-${index}`));
        if (answer?.status === 429) expect(answer.headers.get("retry-after")).toBe("3");
        isAccepted = answer?.status === 201 || answer?.status === 200;
      }
    }
    const { accepted, duplicates, replays, requests } = platform.stats();
    expect({ accepted, duplicates }).toEqual({ accepted: 40, duplicates: 0 });
    expect(replays).toBeGreaterThan(0);
    expect(requests["POST"]?.["dropped"]).toBe(accepted + replays - 40);
  });

  test.each<Options>([{ faults: { errors: 0.6, drops: 0.6 } }, { faults: { limits: -0.1 } }, { delayMs: [2, 1] }])(
    "and cannot be %j",
    async (options) => {
      await expect(startSecutools(options)).rejects.toThrow(RangeError);
    },
  );

  test("is nothing, to one who does not show the key", async () => {
    const platform = await start({ faults: { errors: 1 } });
    expect(await call(platform, "GET", `${JOBS}/x`, { apiKey: null })).toMatchObject({ status: 401 });
  });
});

describe("a platform that is down", () => {
  test("answers nobody, and has its jobs when it is back", async () => {
    const platform = await start({ delayMs: 0 });
    const id = idOf(await submit(platform, "secutools: slow 60000"));
    const body = (await open(platform, id)).text();
    const cut = expect(body).rejects.toThrow("terminated");
    platform.pause();
    await cut;
    await expect(get(platform, id)).rejects.toThrow("fetch failed");
    await expect(submit(platform, "Hello", "job-2")).rejects.toThrow("fetch failed");
    platform.resume();
    expect(await submit(platform, "secutools: slow 60000")).toMatchObject({ status: 200, json: { id } });
    expect(platform.stats()).toMatchObject({ accepted: 1, requests: { POST: { 201: 1, 200: 1 }, GET: { 200: 1 } } });
  });

  test("frees its port, also in the middle of an answer", async () => {
    const first = await start({ delayMs: 0 });
    const id = idOf(await submit(first, "secutools: slow 60000"));
    const cut = expect((await open(first, id)).text()).rejects.toThrow("terminated");
    await first.close();
    await first.close();
    await cut;
    const second = await start({ port: first.port });
    expect(second.url).toBe(first.url);
    expect(await get(second, id)).toMatchObject({ status: 404 });
    await expect(start({ port: first.port })).rejects.toThrow("EADDRINUSE");
  });
});
