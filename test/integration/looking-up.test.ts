import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lookUp } from "../../src/control/look-up.ts";
import { cancelledEnding } from "../../src/queue/payload.ts";
import { type BareQueues, localTask, payload, startBareQueues } from "../helpers/bare-queues.ts";
import { until } from "../helpers/until.ts";

const BETA = "/srv/beta";
const INBOX = "/srv/alpha/.agent-queue/inbox";
const FAILED = "/srv/alpha/.agent-queue/failed";

let bare: BareQueues;
beforeEach(async () => {
  bare = await startBareQueues();
});
afterEach(async () => await bare.stop());

/** A task that waits, under this id where one is given. */
async function waits(name: string, project?: string, id: string | null = null): Promise<string> {
  const [enqueued] = await bare.queues.enqueue([{ payload: payload(name, {}, project), id }]);
  expect(enqueued?.state).toBe("new");
  return enqueued?.id ?? "";
}

/** A task that has failed, its file now at this path. */
async function failed(name: string, path = `${FAILED}/${name}`, id: string | null = null): Promise<string> {
  await waits(name, undefined, id);
  const job = await bare.inbox.fetch();
  const task = job?.id ?? "";
  await bare.queues.toLocal([{ id: task, payload: localTask(job?.payload ?? payload("none.md")) }]);
  await bare.inbox.complete(task, cancelledEnding);
  await bare.local.fetch();
  await bare.local.fail(task, new Error("no"), { result: "failed", path, by: null, spent: null });
  const ms = Date.now();
  await until("time goes on", () => Date.now() > ms);
  return task;
}

/** The id of the task that a text means, null where there is none, or what is said instead. */
const means = async (text: string) =>
  await lookUp(text, bare.index).then(
    (row) => row?.id ?? null,
    (error: unknown) => error,
  );

const AMBIGUOUS = { code: "TASK_AMBIGUOUS" };

describe("a task goes by", () => {
  test("its id, and by the beginning of it", async () => {
    const id = await waits("x.md");
    for (let length = 1; length <= id.length; length += 1) expect(await means(id.slice(0, length))).toBe(id);
  });

  test("its id, although another's begins like it", async () => {
    const longer = await waits("x.md", undefined, "kabcdefghij");
    const id = await waits("y.md", undefined, "kabcdefghi");
    expect(await means("kabcdefghi")).toBe(id);
    expect(await means("kabcdefghij")).toBe(longer);
    expect(await means("kabcdefgh")).toMatchObject(AMBIGUOUS);
  });

  test("its file's name, that with its project, and its path", async () => {
    const id = await waits("fix it.md");
    for (const text of ["fix it.md", "alpha/fix it.md", `${INBOX}/fix it.md`, `${INBOX}/fix it.md.dispatched`])
      expect(await means(text)).toBe(id);
  });

  test("where its file is once it is over, also under the name that it has there", async () => {
    const id = await failed("x.md", `${FAILED}/x-2.md`);
    for (const text of ["x.md", "alpha/x.md", "x-2.md", `${FAILED}/x-2.md`, id]) expect(await means(text)).toBe(id);
  });

  test("a name that looks like an id", async () => {
    const id = await waits("kabcdefghi.md");
    expect(await means("kabcdefghi.md")).toBe(id);
    expect(await means("kabcdefghi")).toBeNull();
  });
});

describe("of several that bore a name one after the other", () => {
  test("the last is meant", async () => {
    await failed("x.md", `${FAILED}/x.md`);
    await failed("x.md", `${FAILED}/x-2.md`);
    const last = await failed("x.md", `${FAILED}/x-3.md`);
    for (const text of ["x.md", "alpha/x.md"]) expect(await means(text)).toBe(last);
  });

  test("the one that is not over is meant, however new the other is", async () => {
    await failed("x.md");
    const live = await waits("x.md");
    for (const text of ["x.md", "alpha/x.md"]) expect(await means(text)).toBe(live);
  });

  test("each is still meant by its own path and id", async () => {
    const first = await failed("x.md", `${FAILED}/x.md`);
    const second = await failed("x.md", `${FAILED}/x-2.md`);
    await waits("x.md");
    expect(await means(`${FAILED}/x.md`)).toBe(first);
    expect(await means(`${FAILED}/x-2.md`)).toBe(second);
    expect(await means(first)).toBe(first);
    expect(await means(second)).toBe(second);
  });

  test("a beginning that is both of theirs is ambiguous: an id is not a name", async () => {
    await failed("x.md", `${FAILED}/x.md`, "kabcdefghi");
    await waits("x.md", undefined, "kabcdefghj");
    expect(await means("kabcdefgh")).toMatchObject(AMBIGUOUS);
  });
});

describe("it is not guessed", () => {
  test("which of two projects' tasks is meant; both are named", async () => {
    const alpha = await waits("x.md");
    const beta = await waits("x.md", BETA);
    const error = await means("x.md");
    expect(error).toMatchObject({ ...AMBIGUOUS, message: expect.stringContaining(`${alpha} (alpha/x.md)`) });
    expect(error).toMatchObject({ message: expect.stringContaining(`${beta} (beta/x.md)`) });
    expect(await means("alpha/x.md")).toBe(alpha);
    expect(await means("beta/x.md")).toBe(beta);
  });

  test("nor which of two projects of one name", async () => {
    const one = await waits("x.md", "/srv/one/site");
    const two = await waits("x.md", "/srv/two/site");
    expect(await means("site/x.md")).toMatchObject(AMBIGUOUS);
    expect(await means("/srv/one/site/.agent-queue/inbox/x.md")).toBe(one);
    expect(await means(two)).toBe(two);
  });

  test("nor of many, of which a few are named", async () => {
    for (let index = 0; index < 12; index += 1)
      await waits(`${index}.md`, undefined, `kabcdefgh${"abcdefghijkm"[index]}`);
    const error = await means("kabcdefgh");
    expect(error).toMatchObject(AMBIGUOUS);
    expect(String(error).match(/kabcdefgh\w \(alpha\/\d+\.md\)/g)).toHaveLength(5);
    expect(String(error)).toMatch(/ …$/);
  });
});

test.each([
  "",
  " ",
  "nobody",
  "nobody.md",
  "x",
  "X.MD",
  "x.md ",
  "x.md/",
  "lpha/x.md",
  "/x.md",
  "./x.md",
  "beta/x.md",
  "alpha/",
  "alpha",
  "*",
  ".*",
  "x.md\0",
  "\u001b[31m",
  "/srv/alpha",
  "../alpha/x.md",
  `${INBOX}/../inbox/x.md`,
  "__proto__",
  "constructor",
  "x".repeat(10_000),
])("nobody is called %j", async (text) => {
  await failed("y.md", `${FAILED}/y.md`, "mabcdefghi");
  await waits("x.md", undefined, "kabcdefghi");
  expect(await means(text)).toBeNull();
});
