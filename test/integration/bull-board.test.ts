import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Job, Worker } from "bullmq";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdView } from "../../src/control/hold-view.ts";
import { connect, type RedisClient } from "../../src/queue/connection.ts";
import { type ServedBoard, serveBoard } from "../helpers/bull-board.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

/** What stands beside a look costs time, too. */
const LOOKS = 3;

interface Live {
  readonly queue: QueueFixture;
  readonly board: ServedBoard;
}

/** As far as these tests look at it. */
const listed = z.object({
  queues: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      readOnlyMode: z.boolean(),
      allowRetries: z.boolean(),
      allowCompletedRetries: z.boolean(),
      isPaused: z.boolean(),
      globalConcurrency: z.number().nullable(),
      counts: z.record(z.string(), z.number()),
      jobs: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          data: z.unknown(),
          returnValue: z.unknown(),
          failedReason: z.string().optional(),
          externalUrl: z.object({ href: z.string() }),
        }),
      ),
    }),
  ),
});
const problem = z.object({ code: z.string(), detail: z.string(), error: z.string(), message: z.string() });

async function live(options: FixtureOptions = {}): Promise<Live> {
  const queue = await startQueue(options);
  onTestFinished(async () => await queue.stop());
  return { queue, board: await serveBoard(queue) };
}

/** Tasks that failed after all their attempts; the next one will get through. */
async function failed({ queue, board }: Live, names: readonly string[]): Promise<string[]> {
  for (const name of names) await queue.drop(name, "---\npriority: high\n---\nagent: needs ready.txt\n");
  await until("they have failed", () => queue.events.filter(({ type }) => type === "failed").length === names.length);
  await until("their jobs, too", async () => (await jobs(board, "local", "failed")).length === names.length);
  await writeFile(join(queue.project, "ready.txt"), "");
  const ids = queue.events.flatMap(({ type, id, task }) => (type === "failed" ? [{ id, name: task.name }] : []));
  return names.map((name) => ids.find((it) => it.name === name)?.id ?? "");
}

const put = async (board: ServedBoard, path: string, method = "PUT", body?: string) =>
  await board.ask(`/queues/api/${path}`, {
    method,
    body: body ?? "",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body ?? "") },
  });
const overview = async (board: ServedBoard, query = "") =>
  listed.parse(JSON.parse((await board.ask(`/queues/api/queues${query}`)).body)).queues;
const jobs = async (board: ServedBoard, name: string, status: string) =>
  (await overview(board, `?activeQueue=${name}&status=${status}`)).find((queue) => queue.name === name)?.jobs ?? [];
const starts = async (queue: QueueFixture) => (await queue.witness()).filter(({ event }) => event === "start");
const over = async (queue: QueueFixture, count: number) => {
  await queue.settled("done", count);
  await until("their ends are told", () => queue.events.filter(({ type }) => type === "done").length === count);
};

const says = async (board: ServedBoard, path: string) =>
  await board.says(`/queues/api/${path}`, { method: "PUT", headers: { "content-length": 0 } });
const queueOf = (board: ServedBoard, wanted: string) => {
  const found = board.queues.open().find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`there is no queue ${wanted}`);
  return found.queue;
};

function connectTo({ config }: QueueFixture): RedisClient {
  const redis = connect(redisOf(config));
  onTestFinished(() => redis.disconnect());
  return redis;
}

async function askHold({ config }: QueueFixture): Promise<void> {
  await askDaemon(config.stateDir, "POST", "/api/hold", z.object({ hold: holdView }), { body: {} });
}

/** A notification that could not be delivered, in a queue where nobody is to be notified. Returns its id. */
async function failedNotification(queue: QueueFixture, board: ServedBoard): Promise<string> {
  const { opts, name } = queueOf(board, "notifications");
  const { id = "" } = await queueOf(board, "notifications").add("failed: alpha/x.md to the webhook", {});
  const shared = { connection: connectTo(queue), prefix: opts.prefix ?? "" };
  const worker = new Worker(name, null, { ...shared, autorun: false });
  const job: Job | undefined = await worker.getNextJob("test", { block: false });
  await job?.moveToFailed(new Error("no answer"), "test", false);
  await worker.close();
  return id;
}

describe("the page", () => {
  test("asks nobody else for anything, and has a policy that lets it run", async () => {
    const { board } = await live();
    for (const path of ["/queues", "/queues/", "/queues/queue/local"]) {
      const { status, headers, body } = await board.ask(path);
      expect(status).toBe(200);
      expect(body).toContain('<base href="/queues/"');
      expect(body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
      expect(headers["content-security-policy"]).toContain("default-src 'self'; style-src 'self' 'unsafe-inline'");
      expect(headers["content-security-policy"]).toContain("base-uri 'self'");
    }
  });

  test("has its files, and no others", async () => {
    const { board } = await live();
    const { body } = await board.ask("/queues");
    const files = [...body.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const { status, headers } = await board.ask(`/queues/${file}`);
      expect([file, status, headers["x-content-type-options"]]).toEqual([file, 200, "nosniff"]);
    }
    for (const path of ["../package.json", "..%2findex.ejs", "js", "none.js", "%00.js"])
      expect([path, await board.says(`/queues/static/${path}`)]).toEqual([path, "404 NOT_FOUND"]);
  });

  test("is for those who show the token, and so is everything below it", async () => {
    const queue = await startQueue();
    onTestFinished(async () => await queue.stop());
    const board = await serveBoard(queue, { token: "secret" });
    for (const path of ["/queues", "/queues/api/queues", "/queues/static/favicon.ico", "/queues/none"]) {
      expect([path, await board.says(path)]).toEqual([path, "401 TOKEN_REFUSED"]);
      const status = path === "/queues/none" ? 404 : 200;
      expect((await board.ask(path, { headers: { authorization: "Bearer secret" } })).status).toBe(status);
    }
    expect(await says(board, "queues/local/x/retry")).toBe("401 TOKEN_REFUSED");
    const headers = { origin: "https://elsewhere.example", "content-length": 0 };
    const refused = await board.says("/queues/api/queues/local/x/retry", { method: "PUT", headers });
    expect(refused).toBe("403 ORIGIN_REFUSED");
  });

  test("opens no queue before somebody looks", async () => {
    const queue = await startQueue();
    onTestFinished(async () => await queue.stop());
    const redis = connectTo(queue);
    // Other tests may be on the same Redis, with databases of their own.
    const database = / db=\d+ /.exec(String(await redis.client("INFO")))?.[0] ?? "";
    const clients = async () => String(await redis.client("LIST")).split(database).length - 1;
    const before = await clients();
    const board = await serveBoard(queue);
    await board.ask("/healthz");
    expect(await clients()).toBe(before);
    await board.ask("/queues/api/queues");
    expect(await clients()).not.toBe(before);
  });
});

describe("what is shown", () => {
  test("is every queue with its description, and what may be done to it", async () => {
    const { board } = await live();
    const queues = await overview(board);
    expect(queues.map(({ name }) => name)).toEqual(["inbox", "local", "delegated", "reaper", "notifications"]);
    expect(queues.every(({ description }) => description.length > 20)).toBe(true);
    expect(queues.filter((queue) => !queue.readOnlyMode).map(({ name }) => name)).toEqual([
      ...["local", "delegated", "notifications"],
    ]);
    expect(queues.some((queue) => queue.allowCompletedRetries)).toBe(false);
  });

  test("is a job by its task's name, in words, with a link to its page", async () => {
    const it = await live();
    const [id] = await failed(it, ["build.md"]);
    const [job] = await jobs(it.board, "local", "failed");
    expect(job).toMatchObject({ id, name: "alpha/build.md", externalUrl: { href: `/tasks/${id}` } });
    expect(job?.failedReason).toContain("RUN_CRASHED");
    expect(job?.data).toMatchObject({ name: "build.md", priority: "high", ending: { result: "failed" } });
    expect(JSON.stringify(job?.data)).not.toMatch(/fingerprint|null|Ms"/);
    await put(it.board, `queues/local/${id}/retry`);
    await over(it.queue, 1);
    await until("its job is over", async () => (await jobs(it.board, "local", "completed")).length === 1);
    const [again] = await jobs(it.board, "local", "completed");
    expect(again?.returnValue).toMatchObject({ result: "done", spent: { duration: expect.stringMatching(/ m?s$/) } });
  });

  test("is at most a page that Bull Board itself can ask for", async () => {
    const { board } = await live();
    expect(await board.says("/queues/api/queues?activeQueue=local&jobsPerPage=300")).toBe("200");
    expect(await board.says("/queues/api/queues?activeQueue=local&jobsPerPage=301")).toBe("400 REQUEST_INVALID");
    expect(await board.says("/queues/api/nothing")).toBe("404 NOT_FOUND");
  });
});

describe("Retry", () => {
  test("puts the file back: one more run with fresh attempts, under its id, and it is done", async () => {
    const it = await live({ limits: "attempts: 2, backoff: 10ms" });
    const [id] = await failed(it, ["build.md"]);
    const { status, body } = await put(it.board, `queues/local/${id}/retry`);
    expect([status, body]).toEqual([204, ""]);
    await over(it.queue, 1);
    expect([...(await it.queue.names("failed")), ...(await it.queue.names("inbox"))]).toEqual([]);
    expect((await starts(it.queue)).map(({ run }) => run)).toEqual([`${id}-1`, `${id}-2`, `${id}-3`]);
    expect(await it.queue.read("done", "build.md")).toContain("| attempts | 1 |");
    expect(await jobs(it.board, "local", "failed")).toEqual([]);
    expect(it.queue.errors).toEqual([]);
  });

  test("pressed twice runs it once", async () => {
    const it = await live();
    const [id] = await failed(it, ["build.md"]);
    const answers = await Promise.all([1, 2, 3].map(async () => await put(it.board, `queues/local/${id}/retry`)));
    expect(answers.filter(({ status }) => status === 204).length).toBeGreaterThan(0);
    await over(it.queue, 1);
    expect([...(await it.queue.names("failed")), ...(await it.queue.names("inbox"))]).toEqual([]);
    expect(await starts(it.queue)).toHaveLength(2);
  });

  test("of all failed puts every one of them back, once", async () => {
    const it = await live();
    const names = ["a.md", "b.md", "c.md"];
    await failed(it, names);
    const [answer] = await Promise.all([1, 2].map(async () => await put(it.board, "queues/local/retry/failed")));
    expect(answer?.status).toBeLessThan(500);
    await over(it.queue, 3);
    expect(await it.queue.names("done")).toEqual(names);
    expect([...(await it.queue.names("failed")), ...(await it.queue.names("inbox"))]).toEqual([]);
    expect(await starts(it.queue)).toHaveLength(6);
  });

  test("tells how many it put back", async () => {
    const it = await live();
    await failed(it, ["a.md", "b.md"]);
    const { status, body } = await put(it.board, "queues/local/retry/failed");
    expect([status, JSON.parse(body)]).toEqual([200, { retried: 2, skipped: 0 }]);
  });

  test("of a task whose file is gone says so, in words that the page shows", async () => {
    const it = await live();
    const [id] = await failed(it, ["gone.md", "here.md"]);
    await rm(join(it.queue.project, ".agent-queue", "failed", "gone.md"));
    const one = await put(it.board, `queues/local/${id}/retry`);
    expect(one.status).toBe(404);
    expect(problem.parse(JSON.parse(one.body))).toMatchObject({
      code: "TASK_UNKNOWN",
      error: expect.stringContaining("its file is gone"),
    });
    const all = await put(it.board, "queues/local/retry/failed");
    expect(all.status).toBe(404);
    expect(problem.parse(JSON.parse(all.body)).error).toMatch(
      /^1 of 2 failed tasks were put back; not alpha\/gone\.md:/,
    );
    await over(it.queue, 1);
    expect(await starts(it.queue)).toHaveLength(3);
  });

  test("of a notification delivers it again, with fresh attempts", async () => {
    const { queue, board } = await live();
    const id = await failedNotification(queue, board);
    expect((await put(board, `queues/notifications/${id}/retry`)).status).toBe(204);
    expect((await jobs(board, "notifications", "waiting")).map((job) => job.id)).toEqual([id]);
    expect((await queueOf(board, "notifications").getJob(id))?.attemptsMade).toBe(0);
    expect(await says(board, `queues/notifications/${id}/retry`)).toBe("403 BOARD_REFUSED");
    expect(await says(board, "queues/notifications/none/retry")).toBe("403 BOARD_REFUSED");
  });

  test("of all failed notifications delivers them again", async () => {
    const { queue, board } = await live();
    const ids = [await failedNotification(queue, board), await failedNotification(queue, board)];
    const { body } = await put(board, "queues/notifications/retry/failed");
    expect(JSON.parse(body)).toEqual({ retried: 2, skipped: 0 });
    expect((await jobs(board, "notifications", "waiting")).map((job) => job.id).sort()).toEqual(ids.sort());
  });
});

describe("Promote", () => {
  test("ends the pause before the next attempt", async () => {
    const { queue, board } = await live({ limits: "attempts: 2, backoff: 1h" });
    await queue.drop("a.md", "agent: needs ready.txt\n");
    const delayed = await until("it waits", async () => (await jobs(board, "local", "delayed"))[0]);
    await writeFile(join(queue.project, "ready.txt"), "");
    expect((await put(board, `queues/local/${delayed.id}/promote`)).status).toBe(204);
    await over(queue, 1);
    expect((await starts(queue)).map(({ run }) => run)).toEqual([`${delayed.id}-1`, `${delayed.id}-2`]);
    expect(await says(board, `queues/local/${delayed.id}/promote`)).toBe("403 BOARD_REFUSED");
    expect(queue.errors).toEqual([]);
  });

  test("of all does so for each", async () => {
    const { queue, board } = await live({ limits: "attempts: 2, backoff: 1h" });
    for (const name of ["a.md", "b.md"]) await queue.drop(name, "agent: needs ready.txt\n");
    await until("they wait", async () => (await jobs(board, "local", "delayed")).length === 2);
    await writeFile(join(queue.project, "ready.txt"), "");
    expect((await put(board, "queues/local/promote")).status).toBe(204);
    await over(queue, 2);
    expect(await starts(queue)).toHaveLength(4);
  });
});

/** What each button of Bull Board sends that would lose something or stop the queue. */
const BUTTONS = {
  "Pause all": ["PUT", "queues/pause"],
  "Resume all": ["PUT", "queues/resume"],
  "Add job": ["POST", "queues/QUEUE/add", { name: "x", data: {}, options: {} }],
  "Duplicate, over another": ["POST", "queues/QUEUE/add", { name: "x", data: {}, options: { jobId: "ID" } }],
  "Retry all completed": ["PUT", "queues/QUEUE/retry/completed"],
  "Clean all": ["PUT", "queues/QUEUE/clean/failed"],
  Pause: ["PUT", "queues/QUEUE/pause"],
  "Concurrency 0": ["PUT", "queues/QUEUE/concurrency", { concurrency: 0 }],
  "Concurrency 1": ["PUT", "queues/QUEUE/concurrency", { concurrency: 1 }],
  "Rate limit": ["PUT", "queues/QUEUE/rate-limit", { max: 1, duration: 86_400_000 }],
  "Release rate limit": ["PUT", "queues/QUEUE/rate-limit/release"],
  Empty: ["PUT", "queues/QUEUE/empty"],
  Obliterate: ["PUT", "queues/QUEUE/obliterate", { force: true }],
  "Remove scheduler": ["PUT", "queues/QUEUE/job-schedulers/ticks/remove"],
  "Edit scheduler": ["PATCH", "queues/QUEUE/job-schedulers/ticks", { every: 1 }],
  "Run scheduler": ["PUT", "queues/QUEUE/job-schedulers/ticks/run"],
  Clean: ["PUT", "queues/QUEUE/ID/clean"],
  "Update data": ["PATCH", "queues/QUEUE/ID/update-data", { jobData: { project: "/" } }],
  Reschedule: ["PATCH", "queues/QUEUE/ID/delay", { runAt: 1 }],
  Reprioritise: ["PATCH", "queues/QUEUE/ID/priority", { priority: 1 }],
  "Remove children": ["PUT", "queues/QUEUE/ID/remove-unprocessed-children"],
  "Purge metrics": ["POST", "metrics/history/purge", {}],
  "what later versions bring": ["DELETE", "queues/QUEUE/ID"],
} as const;
const QUEUES = ["inbox", "local", "delegated", "reaper", "notifications"];

describe("what is refused", () => {
  test("is every button but these few, and nothing changes", async () => {
    const it = await live();
    const { queue, board } = it;
    const [id = ""] = await failed(it, ["a.md"]);
    await askHold(queue);
    await queue.drop("b.md", "agent: say hello\n");
    await until("it waits", async () => (await jobs(board, "local", "prioritized")).length === 1);
    const state = async () =>
      (await overview(board))
        .filter(({ name }) => name !== "reaper")
        .map(({ name, counts, isPaused, globalConcurrency }) => ({ name, counts, isPaused, globalConcurrency }));
    const before = await state();
    const refused: string[] = [];
    for (const name of QUEUES) {
      for (const [button, [method, path, body]] of Object.entries(BUTTONS)) {
        const filled = (text: string) => text.replace("QUEUE", name).replace("ID", id);
        const sent = body === undefined ? "" : filled(JSON.stringify(body));
        const answer = await put(board, filled(path), method, sent);
        if (answer.status === 403 && problem.parse(JSON.parse(answer.body)).code === "BOARD_REFUSED") continue;
        refused.push(`${name}, ${button}: ${answer.status} ${answer.body}`);
      }
    }
    expect(refused).toEqual([]);
    expect(await state()).toEqual(before);
    expect(await queueOf(board, "reaper").getJobSchedulersCount()).toBe(1);
    expect((await jobs(board, "local", "failed")).map((job) => job.id)).toEqual([id]);
  });

  test("is said in words that the page shows, with what to do instead", async () => {
    const { board } = await live();
    const hint = async (path: string) => problem.parse(JSON.parse((await put(board, path)).body)).message;
    expect(await hint("queues/local/pause")).toContain("ccl-queue hold");
    expect(await hint("queues/local/x/clean")).toContain("ccl-queue cancel");
    expect(await hint("queues/local/x/delay")).toContain("a task is its file");
    expect(await hint("queues/local/retry/completed")).toContain("from its own page");
  });

  test("is everything in a queue that is there to be looked at, or that there is none of", async () => {
    const { board } = await live();
    for (const name of ["inbox", "reaper", "none", "..", "local%2F.."]) {
      for (const path of ["x/retry", "retry/failed", "x/promote", "promote", "resume"])
        expect([name, path, await says(board, `queues/${name}/${path}`)]).toEqual([name, path, "403 BOARD_REFUSED"]);
    }
  });

  test("is a job that is not one of the queue's: names and beginnings of ids are for others", async () => {
    const it = await live();
    const [id = ""] = await failed(it, ["a.md"]);
    for (const path of [
      `local/${id.slice(0, -1)}`,
      "local/a.md",
      "local/alpha%2Fa.md",
      `delegated/${id}`,
      "local/clean",
    ])
      expect([path, await says(it.board, `queues/${path}/retry`)]).toEqual([path, "404 TASK_UNKNOWN"]);
    expect(await it.queue.names("failed")).toEqual(["a.md"]);
    await askHold(it.queue);
    await it.queue.drop("b.md", "agent: say hello\n");
    const waiting = await until("it waits", async () => (await jobs(it.board, "local", "prioritized"))[0]);
    expect(await says(it.board, `queues/local/${waiting.id}/retry`)).toBe("409 TASK_NOT_OVER");
  });

  test("in read-only mode is everything, and the page shows no buttons", async () => {
    const queue = await startQueue();
    onTestFinished(async () => await queue.stop());
    const board = await serveBoard(queue);
    const [id] = await failed({ queue, board }, ["a.md"]);
    const readOnly = await serveBoard(queue, { readOnly: true });
    for (const path of [`local/${id}/retry`, "local/retry/failed", "local/promote", "local/resume", "local/pause"])
      expect([path, await says(readOnly, `queues/${path}`)]).toEqual([path, "403 READ_ONLY"]);
    expect((await overview(readOnly)).every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
    expect(await queue.names("failed")).toEqual(["a.md"]);
  });
});

test("a pause that somebody made in Redis can be ended", async () => {
  const { queue, board } = await live();
  await queueOf(board, "local").pause();
  await queue.drop("a.md", "agent: say hello\n");
  await until("it waits", async () => (await jobs(board, "local", "prioritized")).length === 1);
  expect((await overview(board)).find(({ name }) => name === "local")?.isPaused).toBe(true);
  expect((await put(board, "queues/local/resume")).status).toBe(204);
  await over(queue, 1);
});

test("a look at ten thousand waiting tasks is cheap", async () => {
  // Its own, as commands are counted.
  const { queue, board } = await live({ embeddedRedis: true });
  const waiting = queueOf(board, "notifications");
  const add = Array.from({ length: 10_000 }, (_, index) => ({ name: `n${index}`, data: {}, opts: { priority: 3 } }));
  await waiting.addBulk(add);
  const redis = connectTo(queue);
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info("stats"))?.[1]);
  const tookMs: number[] = [];
  for (let look = 1; look <= LOOKS; look += 1) {
    const [before, beganMs] = [await commands(), performance.now()];
    expect(await jobs(board, "notifications", "latest")).toHaveLength(10);
    tookMs.push(performance.now() - beganMs);
    expect((await commands()) - before).toBeLessThan(200);
  }
  expect(Math.min(...tookMs)).toBeLessThan(300);
  expect(queue.errors).toEqual([]);
});
