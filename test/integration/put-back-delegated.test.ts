import { describe, expect, test } from "vitest";
import { row } from "../helpers/delegation.ts";
import { DELEGATED, get, lostByPlatform, WAYS } from "../helpers/putting-back.ts";
import { until } from "../helpers/until.ts";

describe("a delegated task that failed is put back by", () => {
  test.each(Object.entries(WAYS))("%s: it goes out once more, under its id, and is done", async (_way, putBack) => {
    const lost = await lostByPlatform();
    const { queue, id, delegation } = lost;
    await putBack(lost);
    expect(await queue.settled("done", 1)).toEqual(["build.md"]);
    await until("its end is told", () => delegation.events("done").length === 1);

    expect([...(await queue.names("inbox")), ...(await queue.names("failed"))]).toEqual([]);
    const jobs = delegation.platform.jobs();
    expect(jobs.map(({ key }) => key)).toEqual([`${id}-1`, `${id}-2`]);
    expect(await queue.witness()).toEqual([]);

    const text = await queue.read("done", "build.md");
    expect(text.startsWith(DELEGATED)).toBe(true);
    expect(text.match(/<!-- ccl-queue:footer -->/g)).toHaveLength(1);
    expect([row(text, "run"), row(text, "attempts")]).toEqual([`${id}-2`, "1"]);
    expect(row(text, "provider")).toBe(`gpu (${jobs[1]?.id})`);
    await until("its job is over", async () => (await get(queue, id)).state === "done");
    expect(await get(queue, id)).toMatchObject({ task: "alpha/build.md", route: "delegated", attempts: 1 });
    expect(queue.errors).toEqual([]);
  });
});
