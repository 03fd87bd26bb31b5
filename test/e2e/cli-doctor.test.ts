import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { inspectRedis } from "../../src/queue/inspect-redis.ts";
import { command } from "../helpers/command.ts";
import { startDaemon } from "../helpers/daemon.ts";
import { prepareQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const answer = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ check: z.string(), level: z.string(), found: z.string(), mend: z.string().nullable() })),
});

describe("doctor on a queue that runs", () => {
  test("finds nothing to mend, and changes nothing", async () => {
    const queue = await prepareQueue();
    const daemon = await startDaemon(queue.configFile, queue.environment);
    try {
      const { code, out } = await command(["doctor", "--json", "-c", queue.configFile], {
        environment: queue.environment,
      });
      const { ok, checks } = answer.parse(JSON.parse(out));
      expect(checks.filter(({ level }) => level !== "ok")).toEqual([]);
      expect({ code, ok }).toEqual({ code: 0, ok: true });
      const found = checks.map(({ check, found }) => `${check}: ${found}`);
      expect(found).toContainEqual(expect.stringMatching(/^tmux: .*; 2 of 2 sessions of the pool are there$/));
      expect(found).toContain("daemon: it runs, and its verdict is ok");
      expect(found).toContain("redis: maxmemory-policy is noeviction");
      expect(found).toContain("redis: appendonly is yes");
      expect(found).toContain("projects: 1 inbox");
    } finally {
      daemon.signal("SIGTERM");
      await daemon.ended();
      await queue.stop();
    }
  });
});

describe("doctor --repair", () => {
  test("says what Redis had lost, by lines and as JSON, and that there is a daemon needed for it", async () => {
    const queue = await prepareQueue({ embeddedRedis: true, sessions: 1 });
    const doctor = async (...args: string[]) =>
      await command(["doctor", "--repair", ...args, "-c", queue.configFile], { environment: queue.environment });
    expect(await doctor()).toMatchObject({ code: 4, err: expect.stringContaining("[DAEMON_NOT_RUNNING]") });
    const daemon = await startDaemon(queue.configFile, queue.environment);
    try {
      expect((await doctor()).out).toBe("nothing to repair: Redis knows of every file and every run\n");
      await queue.drop("runs.md", "agent: hang\n");
      await until("it runs", async () => (await queue.witness()).some(({ event }) => event === "submit"));
      await queue.drop("waits.md", "it waits\n");
      await until("it waits", () => daemon.output().includes('alpha/waits.md","id"'));
      await flush(queue.config.stateDir);
      const { code, out } = await doctor();
      expect(code).toBe(0);
      expect(out).toMatch(/^alpha\/waits\.md \(\w+\) waited, and Redis did not know: enqueued$/m);
      expect(out).toMatch(/^alpha\/runs\.md \(\w+\) is at work, and Redis did not know: known again$/m);
      expect(JSON.parse((await doctor("--json")).out)).toEqual({ repairs: [] });
    } finally {
      daemon.signal("SIGKILL");
      await daemon.ended();
      await queue.app.start();
      await queue.stop();
    }
  });
});

async function flush(stateDir: string): Promise<void> {
  await execa("redis-cli", ["-s", join(stateDir, "redis.sock"), "flushall"]);
}

describe("doctor on a Redis that is configured", () => {
  let dir: string;
  let port: number;
  let redis: ReturnType<typeof redisServer> | null = null;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "ccl-redis-"));
    port = await freePort();
    await mkdir(join(dir, "projects", "site", ".agent-queue", "inbox"), { recursive: true });
    const file = { state_dir: "state", dispatcher: { projects_dir: "projects" }, server: { port: 0 } };
    await writeFile(join(dir, "ccl-queue.yaml"), JSON.stringify({ ...file, claude: { command: "true" } }));
  });
  afterEach(async () => {
    redis?.kill("SIGKILL");
    await redis;
    redis = null;
    await rm(dir, { recursive: true });
  });

  async function startRedis(...args: string[]): Promise<void> {
    const all = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", dir, "--save", "", ...args];
    redis = redisServer(all);
    await until(
      "Redis answers",
      async () =>
        await inspectRedis({ url: url() }).then(
          () => true,
          () => false,
        ),
    );
  }

  const url = () => `redis://:s3cret@127.0.0.1:${port}/0`;

  async function found(environment: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const { out } = await command(["doctor", "--json"], {
      cwd: dir,
      environment: { HOME: dir, REDIS_URL: url(), ...environment },
    });
    expect(out).not.toContain("s3cret");
    const { checks } = answer.parse(JSON.parse(out));
    return checks
      .filter(({ check }) => ["redis", "clock"].includes(check))
      .map(({ level, found }) => `${level}: ${found}`);
  }

  test("says that it is good", async () => {
    await startRedis("--requirepass", "s3cret", "--appendonly", "yes");
    expect(await found()).toEqual([
      expect.stringMatching(new RegExp(`^ok: (Redis|Valkey) [\\d.]+ at 127\\.0\\.0\\.1:${port}$`)),
      "ok: maxmemory-policy is noeviction",
      "ok: appendonly is yes",
      "ok: that of Redis goes the same",
    ]);
  });

  test("says what is wrong with it", async () => {
    await startRedis("--requirepass", "s3cret", "--appendonly", "no", "--maxmemory-policy", "allkeys-lru");
    expect((await found()).slice(1)).toEqual([
      "problem: maxmemory-policy is allkeys-lru: it may drop jobs",
      "warning: appendonly is no: a crash loses what jobs have gone through",
      "ok: that of Redis goes the same",
    ]);
  });

  test("says that it refuses the password, or is not there", async () => {
    await startRedis("--requirepass", "s3cret");
    const [refused, ...more] = await found({ REDIS_URL: `redis://:wrong@127.0.0.1:${port}` });
    expect(refused).toMatch(new RegExp(`^problem: 127\\.0\\.0\\.1:${port} does not answer: WRONGPASS`));
    expect(more).toEqual([]);
    redis?.kill("SIGKILL");
    await redis;
    expect(await found()).toEqual([`problem: 127.0.0.1:${port} does not answer: ECONNREFUSED`]);
  });
});

const redisServer = (args: readonly string[]) => execa("redis-server", args, { reject: false });

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = z.object({ port: z.number() }).parse(server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}
