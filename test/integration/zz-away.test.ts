import { execa } from "execa";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { probe } from "../../src/queue/connection.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { freePort, prepareRedisServers } from "../helpers/redis-servers.ts";
import { redisOf } from "../helpers/test-redis.ts";
import { until } from "../helpers/until.ts";

/** Two seconds are promised. Tests share the machine with others. */
const MOST_BACK_MS = 5_000;

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const names = (count: number) => Array.from({ length: count }, (_, index) => `task-${index}.md`);

/** The pid of the Redis that answers, once one does that is none of these. */
async function pidOf(...known: number[]): Promise<number> {
  return await until("a Redis answers", async () => {
    const pid = await probe(redisOf(queue.config));
    return pid !== null && !known.includes(pid) && pid;
  });
}

/** What the daemon says to a command, and after how long. */
async function asked(method: "GET" | "POST", path: string): Promise<{ said: string; ms: number }> {
  const startedMs = performance.now();
  const said = await askDaemon(queue.config.stateDir, method, path, z.unknown()).then(
    () => "ok",
    (error: unknown) => z.object({ code: z.string() }).parse(error).code,
  );
  return { said, ms: performance.now() - startedMs };
}

describe("the Redis that the daemon brought along", () => {
  test("is started again when it dies: agents go on, what is dropped meanwhile runs, and each runs once", async () => {
    queue = await startQueue({ embeddedRedis: true, sessions: 2 });
    const first = await pidOf();
    await queue.drop("at-work.md", "agent: work 1500ms\n");
    await until("it works", async () => (await submits()).length === 1);
    process.kill(first, "SIGKILL");
    await queue.drop("meanwhile.md", "dropped meanwhile\n");
    await pidOf(first);
    expect(await queue.settled("done", 2)).toEqual(["at-work.md", "meanwhile.md"]);
    expect(await submits()).toHaveLength(2);
    expect(queue.errors).toContainEqual(expect.objectContaining({ code: "REDIS_FAILED" }));
  });

  test("dies again and again during a burst of drops, and each task runs once", async () => {
    const tasks = names(40);
    queue = await startQueue({ embeddedRedis: true, sessions: 4, workMs: 1 });
    const killed: number[] = [];
    const dropping = Promise.all(tasks.map(async (name) => await queue.drop(name, `${name}\n`)));
    for (let kill = 0; kill < 5; kill += 1) {
      const pid = await pidOf(...killed);
      const before = (await submits()).length;
      await until("the queue goes on", async () => (await submits()).length > before);
      process.kill(pid, "SIGKILL");
      killed.push(pid);
    }
    await dropping;
    expect((await queue.settled("done", tasks.length, 30_000)).toSorted()).toEqual(tasks.toSorted());
    expect(await submits()).toHaveLength(tasks.length);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  }, 60_000);
});

test("a Redis that is full takes tasks in again soon after it has room", async () => {
  queue = await startQueue({ embeddedRedis: true });
  const { socket } = z.object({ socket: z.string() }).parse(redisOf(queue.config));
  const allow = async (memory: string) =>
    await execa("redis-cli", ["-s", socket, "config", "set", "maxmemory", memory]);
  await allow("1");
  await queue.drop("waits.md", "waits for room\n");
  const droppedMs = performance.now();
  await until("it is refused", () => queue.errors.some((error) => String(error).includes("OOM")));
  await until("nothing tells of its drop any more", () => performance.now() - droppedMs > 3_000);
  await allow("0");
  expect(await queue.settled("done", 1)).toEqual(["waits.md"]);
  expect(await submits()).toHaveLength(1);
});

describe("a Redis of the operator's that is away", () => {
  test.each([600])(
    "for %d s holds no agent up, and all catches up at once when it is back",
    async (seconds) => {
      const servers = await prepareRedisServers();
      onTestFinished(servers.stop);
      const lines = ["appendonly yes", "appendfsync always"];
      const port = await freePort();
      const server = await servers.start(lines, { port });
      queue = await startQueue({ sessions: 2, redisUrl: `redis://127.0.0.1:${port}` });
      await queue.drop("at-work.md", "agent: work 500ms\n");
      await until("it runs", async () => (await submits()).length === 1);
      await server.kill();
      const [awayMs, cpu] = [performance.now(), process.cpuUsage()];
      await until("its agent ends", async () => (await queue.witness()).some(({ event }) => event === "end"));
      await until("it is noticed", async () => (await asked("GET", "/api/status")).said === "REDIS_UNREACHABLE");
      expect((await asked("GET", "/api/tasks")).ms).toBeLessThan(500);
      await queue.drop("meanwhile.md", "dropped meanwhile\n");
      await until("it is time", () => performance.now() - awayMs > seconds * 1_000, (seconds + 5) * 1_000);
      const { user, system } = process.cpuUsage(cpu);
      expect((user + system) / 1_000 / (performance.now() - awayMs)).toBeLessThan(0.5);
      await servers.start(lines, { port });
      const backMs = performance.now();
      await until("the other runs", async () => (await submits()).length === 2);
      expect(performance.now() - backMs).toBeLessThan(MOST_BACK_MS);
      console.log(seconds, (user + system) / 1_000 / seconds / 1000, performance.now() - backMs);
      expect(await queue.settled("done", 2)).toEqual(["at-work.md", "meanwhile.md"]);
      expect(await submits()).toHaveLength(2);
    },
    700_000,
  );
});

describe("while Redis hangs", () => {
  test("questions are answered at once with what is wrong, and afterwards work goes on at once", async () => {
    queue = await startQueue({ embeddedRedis: true });
    const pid = await pidOf();
    process.kill(pid, "SIGSTOP");
    try {
      await until("it is noticed", async () => (await asked("GET", "/watchdog/status")).said === "REDIS_UNREACHABLE");
      for (const path of ["/watchdog/status", "/api/tasks", "/api/tasks/x.md", "/api/hosts"]) {
        const { said, ms } = await asked("GET", path);
        expect(said).toBe("REDIS_UNREACHABLE");
        expect(ms).toBeLessThan(500);
      }
      expect((await asked("POST", "/api/tasks/x.md/cancel")).said).toBe("REDIS_UNREACHABLE");
      expect((await asked("GET", "/api/sessions")).said).toBe("ok");
      expect((await asked("POST", "/api/hold")).said).toBe("ok");
      expect((await asked("POST", "/api/resume")).said).toBe("ok");
      await queue.drop("meanwhile.md", "dropped meanwhile\n");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const backMs = performance.now();
    await until("it runs", async () => (await submits()).length === 1);
    expect(performance.now() - backMs).toBeLessThan(MOST_BACK_MS);
    await queue.settled("done", 1);
  });
});
