import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { delegable } from "../helpers/delegation.ts";
import { type HostilePlatform, send, startHostilePlatform } from "../helpers/hostile-platform.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const ROUNDS = 150;
/** Tasks that nobody disturbs: they tell how long one takes from its drop to the platform here and now. */
const UNDISTURBED = 5;
/** The moments that are tried go on for so much longer than that. */
const BEYOND = 1.5;

let queue: QueueFixture;
let platform: HostilePlatform;

beforeEach(async () => {
  platform = await startHostilePlatform((response, index, { method }) =>
    send(response, method === "POST" ? 201 : 200, { id: `job-${index}`, status: "queued" }),
  );
  const secutools = { url: platform.url, key: "key-1", more: "concurrency: 20, rate_limit: 1000" };
  // Without a session, what stays here waits.
  queue = await startQueue({ yaml: "pool: { autonomous: { min: 0, max: 1 } }", secutools });
});
afterEach(async () => {
  await queue.stop();
  await platform.close();
});

/** Returns how long they took, in ms: the median, as a busy machine makes one of them wait for long. */
async function sendUndisturbed(sent: () => readonly string[]): Promise<number> {
  const took: number[] = [];
  for (let index = 0; index < UNDISTURBED; index += 1) {
    const droppedAt = performance.now();
    await queue.drop(`undisturbed-${index}.md`, delegable("Leave."));
    await until("it has left", () => sent().length > index);
    took.push(performance.now() - droppedAt);
  }
  return took.sort((a, b) => a - b)[Math.floor(UNDISTURBED / 2)] ?? 0;
}

test("a text that takes another's place in the moment that one is handed out does not leave the machine", async () => {
  const sent = () => platform.requests.filter(({ method }) => method === "POST").map(({ body }) => body);
  const usualMs = await sendUndisturbed(sent);
  for (let round = 0; round < ROUNDS; round += 1) {
    const draft = join(queue.dir, "draft");
    await writeFile(draft, "Stay here.\n");
    await queue.drop(`${round}.md`, delegable("Leave."));
    await sleep((round * BEYOND * usualMs) / ROUNDS);
    await rename(draft, join(queue.project, ".agent-queue", "inbox", `${round}.md`)).catch(() => {});
  }
  const routed = () => queue.events.filter(({ type }) => type === "routed").length;
  await until("all are routed", () => routed() >= UNDISTURBED + ROUNDS);
  expect(sent().filter((body) => body.includes("Stay here."))).toEqual([]);
  expect(sent().filter((body) => body.includes("Leave.")).length).toBe(sent().length);
}, 150_000);
