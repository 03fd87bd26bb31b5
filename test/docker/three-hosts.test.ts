import { randomBytes } from "node:crypto";
import { chownSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agentLog, onlyTheDeadOnesRanTwice, type Witness } from "../helpers/agent-log.ts";
import { until } from "../helpers/until.ts";
import { buildImage, IMAGE, ownerOfProjects } from "./stack.ts";

const HOSTS = ["stays", "cut", "dies"] as const;
type Host = (typeof HOSTS)[number];
const TASKS = 300;
const SESSIONS = 8;
const CUT_MS = 40_000;
const START_MS = 120_000;

const owner = ownerOfProjects();
const label = `ccl-queue-test-${randomBytes(4).toString("hex")}`;
const containers: string[] = [];
let dir: string;

const docker = async (...args: string[]) => (await execa("docker", args)).stdout;
const nameOf = (service: string) => `${label}-${service}`;
const inbox = () => join(dir, "projects", "alpha", ".agent-queue", "inbox");
const names = async (folder: "done" | "failed") =>
  (await readdir(join(inbox(), "..", folder)).catch(() => [])).filter((name) => !name.startsWith("."));
const starts = async () =>
  (await agentLog(join(dir, "projects", "agents.jsonl"))).filter(({ event }) => event === "start");
const isOf = (host: Host, { run }: Witness) => existsSync(join(dir, host, "runs", run ?? ""));

async function runContainer(service: string, ...args: string[]): Promise<void> {
  await docker("run", "-d", "--name", nameOf(service), "--hostname", service, "--network", label, ...args);
  containers.push(nameOf(service));
}

/** A machine of its own: it shares the projects' folder and Redis with the others. */
async function startHost(host: Host): Promise<void> {
  await mkdir(join(dir, host), { mode: 0o700 });
  chownSync(join(dir, host), owner.uid, owner.gid);
  const settings = {
    dispatcher: { projects_dir: "/projects" },
    state_dir: "/state",
    redis: { url: `redis://${nameOf("redis")}:6379` },
    pool: { autonomous: { min: SESSIONS, max: SESSIONS } },
    claude: { command: "node", args: ["/app/demo/agent.js", "--dangerously-skip-permissions"] },
  };
  await writeFile(join(dir, `${host}.yaml`), JSON.stringify(settings)); // which is YAML too
  const volumes = ["projects:/projects", `${host}:/state`, `${host}.yaml:/etc/ccl-queue.yaml:ro`];
  const mounts = volumes.flatMap((volume) => ["-v", join(dir, volume)]);
  const program = ["node", "/app/dist/main.js", "start", "--config", "/etc/ccl-queue.yaml"];
  await runContainer(host, "--init", "-e", "CCL_QUEUE_AGENT_LOG=/projects/agents.jsonl", ...mounts, IMAGE, ...program);
}

/** Whether a host's daemon takes tasks. */
async function isReady(host: Host): Promise<boolean> {
  const asked = ["exec", nameOf(host), "node", "/app/docker/is-ready.js"];
  return (await execa("docker", asked, { reject: false })).exitCode === 0;
}

beforeAll(async () => {
  await buildImage();
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-hosts-"));
  await mkdir(inbox(), { recursive: true });
  for (const path of await readdir(dir, { recursive: true })) chownSync(join(dir, path), owner.uid, owner.gid);
  await docker("network", "create", label);
  await runContainer("redis", "redis:8-bookworm", "redis-server", "--appendonly", "yes");
  for (const host of HOSTS) await startHost(host);
  for (const host of HOSTS) await until(`${host} is ready`, async () => await isReady(host), START_MS);
}, 300_000);

afterAll(async () => {
  for (const container of containers) await execa("docker", ["rm", "-f", "-v", container], { reject: false });
  await execa("docker", ["network", "rm", label], { reject: false });
  await rm(dir, { recursive: true, force: true });
});

test(`${TASKS} tasks on three machines, one dies and one loses its network for ${CUT_MS / 1_000} s: all done, and none twice but those of the dead one`, async () => {
  for (let number = 0; number < TASKS; number += 1) {
    const draft = join(dir, "projects", "draft");
    await writeFile(draft, `task-${number}\nagent: work 1s\n`);
    chownSync(draft, owner.uid, owner.gid);
    await rename(draft, join(inbox(), `task-${number}.md`));
  }
  const done = async () => (await names("done")).length;
  await until("they are in the middle of it", async () => (await done()) >= 40, 60_000);
  await until("the one that dies is busy", async () => (await starts()).some((start) => isOf("dies", start)));
  await docker("kill", nameOf("dies"));
  const killedAtMs = Date.now();
  await docker("network", "disconnect", label, nameOf("cut"));
  const before = await done();
  await until("what waits goes on at once", async () => (await done()) > before + 2 * SESSIONS, 30_000);
  await sleep(killedAtMs + CUT_MS - Date.now());
  await docker("network", "connect", label, nameOf("cut"));
  await until("every task is done", async () => (await done()) === TASKS, 200_000);
  await until("the inbox is empty", async () => (await readdir(inbox())).length === 0, 30_000);

  expect(await names("failed")).toEqual([]);
  const isOfDead = (start: Witness) => isOf("dies", start);
  onlyTheDeadOnesRanTwice(await starts(), { tasks: TASKS, sessions: SESSIONS, isOfDead });
  const isBack = async () => (await starts()).some((one) => isOf("cut", one) && one.at > killedAtMs + CUT_MS);
  expect(await isBack(), "the one that was cut off works again").toBe(true);
}, 420_000);
