import { afterEach, describe, test } from "vitest";
import { type Forgetful, loadOf, startForgetful } from "../helpers/forgetful.ts";
import { until } from "../helpers/until.ts";

/** What the queue promises for such a moment. */
const RUNNING = 10;
const MANY = loadOf(RUNNING, 50, 20, 8_000);
const TIMEOUT_MS = 120_000;

let redis: Forgetful;
afterEach(async () => await redis.stop());

describe("with many tasks in every state, all end once, and none is run or submitted again, when Redis", () => {
  test("is emptied", async () => {
    redis = await startForgetful({ load: MANY, sweep: "1s" });
    await redis.drop();
    await redis.empty();
    await redis.holds(TIMEOUT_MS);
  });

  test("is set back to when they waited, and some are over since", async () => {
    redis = await startForgetful({ load: MANY });
    await redis.drop();
    await redis.keep();
    await until("some are over and some run", async () => (await redis.submits()).length > RUNNING + 1);
    await redis.setBack();
    await redis.holds(TIMEOUT_MS);
  });
});
