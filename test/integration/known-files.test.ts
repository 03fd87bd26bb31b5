import { afterEach, beforeEach, expect, test } from "vitest";
import { cancelledEnding } from "../../src/queue/payload.ts";
import { type BareQueues, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

const task = payload("x.md");
const files = [task, { ...task, fingerprint: "another" }, payload("y.md"), payload("x.md", {}, "/srv/beta")];
const known = async () => await bare.queues.areKnown(files);
const NONE = [false, false, false, false];
const AS_IT_IS = [true, false, false, false];

test("a file is known as it is, and only that, from its first job to its last one's end", async () => {
  expect(await known()).toEqual(NONE);
  const [{ id = "" } = {}] = await bare.queues.enqueue([{ payload: task, id: null }]);
  expect(await known()).toEqual(AS_IT_IS);
  await bare.inbox.fetch();
  expect(await known()).toEqual(AS_IT_IS);
  await bare.queues.toLocal([{ id, payload: localTask(task) }]);
  await bare.inbox.complete(id, cancelledEnding);
  expect(await known()).toEqual(AS_IT_IS);
  await bare.local.fetch();
  expect(await known()).toEqual(AS_IT_IS);
  await bare.local.complete(id, cancelledEnding);
  expect(await known()).toEqual(NONE);
});

test("a file whose job cannot be read is not known", async () => {
  const [{ id = "" } = {}] = await bare.queues.enqueue([{ payload: task, id: null }]);
  await bare.redis.hset(`{ccl-queue:w}:inbox:${id}`, "data", "{");
  expect(await known()).toEqual(NONE);
});
