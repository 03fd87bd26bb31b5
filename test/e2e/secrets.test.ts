import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { ignoreMissing } from "../../src/core/errors.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { type Daemon, runCommand, startDaemon } from "../helpers/daemon.ts";
import { delegable } from "../helpers/delegation.ts";
import { type Answer, send, startHostilePlatform } from "../helpers/hostile-platform.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";
import { type Receiver, startReceiver } from "../helpers/webhook-receiver.ts";

const SECRETS = {
  key: "sk-platform-0f1e2d3c",
  token: "token-4b5a6978",
  webhook: "whsec-8796a5b4",
  password: "redis-c3d2e1f0",
};
/** Every file that anybody else could read, and every directory that anybody else could enter. */
const OTHERS = 0o077;

let queue: QueueFixture;
let daemon: Daemon;
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  daemon.signal("SIGTERM");
  await daemon.ended();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await queue.stop();
});

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** Everything in a directory, the directory itself first, as it is when none of it goes or changes its name meanwhile. */
async function filesIn(dir: string): Promise<Entry[]> {
  return await until(`all of ${dir} is read`, async () => await readAll(dir).catch(ignoreMissing));
}

/** A link has no mode of its own. */
async function readAll(dir: string): Promise<Entry[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return await Promise.all(
    [{ parentPath: dir, name: "." }, ...entries].map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      const stats = await lstat(path);
      const mode = stats.isSymbolicLink() ? 0 : stats.mode & 0o777;
      return { path, mode, text: stats.isFile() ? await readFile(path, "latin1") : "" };
    }),
  );
}

/** What everybody on the machine can see of the living processes that have to do with this queue, by pid. */
async function commandLines(): Promise<Map<string, string>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")] as const),
  );
  const ours = lines.filter(([, line]) => line.includes(queue.dir) || line.includes(queue.config.tmuxSocket));
  return new Map(ours);
}

async function startRedis(): Promise<EmbeddedRedis> {
  const dir = join(queue.dir, "redis");
  await mkdir(dir);
  const redis = new EmbeddedRedis(dir, childEnvironment({ HOME: queue.dir }));
  cleanups.push(async () => await redis.stop());
  await redis.start();
  const admin = new Redis(redis.address.socket);
  await admin.config("SET", "requirepass", SECRETS.password);
  admin.disconnect();
  return redis;
}

async function startReceiving(): Promise<Receiver> {
  const receiver = await startReceiver(204);
  cleanups.push(async () => await receiver.close());
  return receiver;
}

/** Where each of the secrets was found. */
function found(places: readonly (readonly [string, string])[]): string[] {
  return places.flatMap(([place, text]) =>
    Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? [`${name} in ${place}`] : [])),
  );
}

test("no secret is in a log, a file, a job, a command line or an agent's environment, whatever goes wrong", async () => {
  queue = await prepareQueue({ sessions: 1 });
  const redis = await startRedis();
  const receiver = await startReceiving();
  const yaml = await readFile(queue.configFile, "utf8");
  await writeFile(
    queue.configFile,
    `${yaml.replace(/^redis:.*$/m, "")}\nsecutools: { url: "http://127.0.0.1:9" }\nnotify: { webhook: "${receiver.url}" }\n`,
  );
  const environment = {
    ...queue.environment,
    REDIS_URL: `redis://:${SECRETS.password}@localhost/0?path=${redis.address.socket}`,
    SECUTOOLS_API_KEY: SECRETS.key,
    CCL_QUEUE_TOKEN: SECRETS.token,
    CCL_QUEUE_WEBHOOK_SECRET: SECRETS.webhook,
  };
  daemon = await startDaemon(queue.configFile, environment);
  await queue.drop("failing.md", "agent: exit 1\n");
  // The platform cannot be reached, so it comes to the local pool in the end.
  await queue.drop("away.md", "---\nallow_delegation: true\npreferred_ai: gpu\n---\nagent: work 60s\n");
  await queue.drop("running.md", "agent: work 60s\n");
  await until("one has failed", async () => (await queue.names("failed")).includes("failing.md"));
  await until("its webhook was called", () => receiver.calls.length > 0);
  const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
  const [, running] = await until("another runs", async () => (await submits()).length > 1 && (await submits()));
  const environ = await readFile(`/proc/${running?.pid}/environ`, "latin1");
  expect(environ).toContain("CCL_QUEUE_RUN=");
  const lines = await commandLines();
  expect(lines.size).toBeGreaterThan(3);
  const status = runCommand(["status", "--config", queue.configFile], environment);
  const doctor = runCommand(["doctor", "--config", queue.configFile], environment);
  await Promise.all([status.ended(), doctor.ended()]);
  const files = (await filesIn(queue.dir)).map(({ path, text }) => [path, text] as const);
  expect(files.some(([path, text]) => path.endsWith(".aof") && text.includes("failing.md"))).toBe(true);
  const told = [
    ["the log", daemon.output()],
    ["ccl-queue status", status.output()],
    ["ccl-queue doctor", doctor.output()],
    ["the agent's environment", environ],
    ["the webhook's call", JSON.stringify(receiver.calls)],
  ] as const;
  expect(found([...told, ...lines, ...files])).toEqual([]);
});

/** Answers with the key that it is shown wherever it can, as a platform in debug mode may. */
const repeatTheKey: Answer = (response, _index, { method, path, headers, body }) => {
  const said = `I was shown ${headers.authorization}.`;
  const error = { code: said, message: said };
  const [, submitted] = /"task":"(\w+)\.md"/.exec(body) ?? [];
  if (method !== "POST") return repeatAbout(response, basename(path), said);
  if (submitted === "refused") send(response, 422, { error });
  else send(response, 201, { id: submitted, status: "queued", said });
};

function repeatAbout(response: Parameters<Answer>[0], id: string, said: string): void {
  const error = { code: said, message: said };
  const job = { id, model: said, error };
  if (id === "text") send(response, 200, { ...job, status: "completed", result: said });
  else if (id === "object") send(response, 200, { ...job, status: "completed", result: { [said]: [said] } });
  else if (id === "failed") send(response, 200, { ...job, status: "failed" });
  else if (id === "strange") send(response, 200, { ...job, status: said });
  else if (id === "garbage") send(response, 200, said);
  else send(response, 403, { error });
}

/** What the server tells of the tasks, by route. */
async function answers(names: readonly string[]): Promise<(readonly [string, string])[]> {
  const url = /watching .*?(http:\/\/127\.0\.0\.1:\d+)/.exec(daemon.output())?.[1] ?? "";
  const ofTasks = names.flatMap((name) => [`/api/tasks/${name}`, `/api/tasks/${name}/log`]);
  const ofAll = ["/", "/metrics", ...["status", "overview", "delegated/status", "tasks"].map((name) => `/api/${name}`)];
  const tell = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    expect(`${path} ${response.status}`).toBe(`${path} 200`);
    return [path, await response.text()] as const;
  };
  return await Promise.all([...ofAll, ...ofTasks].map(tell));
}

test("the platform's key is in none of them either when the platform repeats it in all that it says", async () => {
  const platform = await startHostilePlatform(repeatTheKey);
  cleanups.push(async () => await platform.close());
  queue = await prepareQueue({
    ...{ sessions: 1, embeddedRedis: true },
    secutools: { url: platform.url, key: SECRETS.key, poll: "200ms" },
  });
  daemon = await startDaemon(queue.configFile, { ...queue.environment, SECUTOOLS_API_KEY: SECRETS.key });
  const names = ["text.md", "object.md", "failed.md", "strange.md", "garbage.md", "secret.md", "refused.md"];
  for (const name of names) await queue.drop(name, delegable("Do it."));
  expect(await queue.settled("done", 3)).toEqual(["object.md", "refused.md", "text.md"]);
  expect(await queue.settled("failed", 1)).toEqual(["failed.md"]);
  for (const id of ["strange", "garbage", "secret"])
    await until(`it complains of ${id}`, () => daemon.output().includes(`how the job ${id} stands`));
  const files = (await filesIn(queue.dir)).map(({ path, text }) => [path, text] as const);
  const told = [["the log", daemon.output()] as const, ...(await answers(names)), ...files];
  expect(found(told)).toEqual([]);
  // What the platform said is there, without the key.
  const saying = told.flatMap(([place, text]) => (text.includes("I was shown Bearer [key].") ? [place] : []));
  for (const place of [
    "the log",
    "/api/tasks/text.md",
    "/api/tasks/refused.md/log",
    join(queue.project, ".agent-queue", "done", "text.md"),
  ])
    expect(saying).toContain(place);
  expect(saying.some((place) => place.endsWith(".aof"))).toBe(true);
});

test("what the daemon keeps is nobody else's business, whatever the umask", async () => {
  queue = await prepareQueue({ sessions: 1, embeddedRedis: true });
  daemon = await startDaemon(queue.configFile, queue.environment, ["sh", "-c", 'umask 000 && exec "$@"', "sh"]);
  await queue.drop("done.md", "agent: write made.txt by the agent\n");
  await queue.settled("done", 1);
  await queue.drop("limited.md", "agent: resets 60s\nagent: fail rate_limit You have reached a limit\n");
  await until("the pool is held", () => daemon.output().includes('"type":"held"'));
  const { stateDir } = queue.config;
  const kept = await filesIn(stateDir);
  const modes = new Map(kept.map(({ path, mode }) => [relative(stateDir, path), mode]));
  const directories = { "": 0o700, redis: 0o700, runs: 0o700 };
  const files = { "daemon.sock": 0o600, "host-id": 0o600, "hold.json": 0o600 };
  expect(Object.fromEntries(modes)).toMatchObject({ ...directories, ...files });
  // Redis makes its files as it likes, where nobody else gets to.
  const open = [...modes].filter(([name, mode]) => (mode & OTHERS) !== 0 && !name.startsWith("redis/"));
  expect(open).toEqual([]);
  expect([...modes.keys()].filter((name) => /^runs\/[^/]+\/(?:exit|pid|stderr|prompt\.md)$/.test(name))).toHaveLength(
    8,
  );
  // What agents make in a project is the project's business.
  const made = await lstat(join(queue.project, "made.txt"));
  expect(made.mode & 0o777).toBe(0o666);
});
