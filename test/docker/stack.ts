import { randomBytes } from "node:crypto";
import { chownSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { agentLog, type Witness } from "../helpers/agent-log.ts";
import { until } from "../helpers/until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Kept after the tests, so that the next build has something to begin with. */
const IMAGE = "ccl-queue:test";
const START_TIMEOUT_MS = 120_000;
/** A port is published before anybody listens behind it. */
const ANSWER_MS = 5_000;
const COMPOSE_MS = 180_000;

/** The services of the stack. */
export type ServiceName = "init" | "agents" | "ccl-queue" | "redis";

/** The stack of docker-compose.yml with the demo agent, under a name and on a port of its own. */
export interface Stack {
  readonly url: string;
  readonly token: string;
  readonly project: string;
  compose(...args: string[]): Promise<string>;
  /** The container of a service as the engine describes it, by a Go template. */
  inspect(service: ServiceName, template: string): Promise<string>;
  /** Asks the daemon; null while nobody answers. */
  ask(path: string, token?: string): Promise<Response | null>;
  /** Waits until the daemon can work. */
  ready(): Promise<void>;
  /** Moves a task into the folder that the containers see, in whole. */
  drop(name: string, text: string): Promise<void>;
  /** The names in a folder of .agent-queue. */
  names(folder: "inbox" | "done" | "failed"): Promise<string[]>;
  read(folder: "done" | "failed", name: string): Promise<string>;
  /** What the agents themselves wrote down. */
  witness(): Promise<Witness[]>;
  down(): Promise<void>;
}

/** Builds the image and brings the stack up, with the services of the profile `demo`. */
export async function startStack(): Promise<Stack> {
  const owner = ownerOfProjects();
  await buildImage(owner);
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-docker-"));
  const name = `ccl-queue-test-${randomBytes(4).toString("hex")}`;
  const secrets = { CCL_QUEUE_TOKEN: secret(), REDIS_PASSWORD: secret(), SECUTOOLS_API_KEY: secret() };
  const port = await freePort();
  const project = join(dir, "projects", "alpha");
  for (const path of [join(dir, "projects"), project, join(project, ".agent-queue", "inbox")]) {
    await mkdir(path, { recursive: true });
  }
  for (const path of await readdir(dir, { recursive: true })) chownSync(join(dir, path), owner.uid, owner.gid);
  const settings = {
    ...secrets,
    CCL_QUEUE_IMAGE: IMAGE,
    CCL_QUEUE_PORT: port,
    CONFIG_FILE: join(ROOT, "test/docker/ccl-queue.yaml"),
    PROJECTS_DIR: join(dir, "projects"),
    SECUTOOLS_URL: "http://secutools:8430",
  };
  const envFile = join(dir, "env");
  await writeFile(
    envFile,
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  const files = ["docker-compose.yml", "test/docker/compose.override.yml"].flatMap((file) => ["-f", join(ROOT, file)]);
  const [command = "", ...before] = await composeCommand();
  const argv = [...before, ...files, "--env-file", envFile, "-p", name, "--profile", "demo"];
  // The operator's own settings would go before those of the file.
  const clean = Object.fromEntries(Object.keys(settings).map((key) => [key, undefined]));
  const compose = async (...args: string[]) => {
    const { stdout } = await execa(command, [...argv, ...args], { env: clean, timeout: COMPOSE_MS });
    return stdout;
  };
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(ANSWER_MS);
    return await fetch(`${url}${path}`, { headers, signal, redirect: "manual" }).catch(() => null);
  };
  const folder = (of: string) => join(project, ".agent-queue", of);
  const down = async () => {
    await compose("down", "--volumes", "--remove-orphans", "--timeout", "5");
    await rm(dir, { recursive: true, force: true });
  };

  const stack: Stack = {
    url,
    token: secrets.CCL_QUEUE_TOKEN,
    project,
    compose,
    inspect: async (service, template) => {
      const id = await compose("ps", "-q", service);
      return (await execa("docker", ["inspect", "-f", template, id.trim()])).stdout;
    },
    ask,
    ready: async () => {
      await until("the daemon can work", async () => (await ask("/readyz"))?.status === 200, START_TIMEOUT_MS);
    },
    drop: async (file, text) => {
      const draft = join(dir, "projects", `draft-${randomBytes(4).toString("hex")}`);
      await writeFile(draft, text);
      chownSync(draft, owner.uid, owner.gid);
      await rename(draft, join(folder("inbox"), file));
    },
    names: async (of) => (await readdir(folder(of)).catch(() => [])).filter((file) => !file.startsWith(".")).sort(),
    read: async (of, file) => await readFile(join(folder(of), file), "utf8"),
    witness: async () => await agentLog(join(dir, "projects", "agents.jsonl")),
    down,
  };
  try {
    await compose("up", "-d");
    await stack.ready();
  } catch (error) {
    await down();
    throw error;
  }
  return stack;
}

const secret = () => randomBytes(24).toString("hex");

/** Compose as a plugin of docker, or else as a program. */
async function composeCommand(): Promise<string[]> {
  const plugin = await execa("docker", ["compose", "version"], { reject: false });
  return plugin.exitCode === 0 ? ["docker", "compose"] : ["docker-compose"];
}

/** Whom the projects belong to: whoever runs the tests, but for root, whom the image does not run as. */
function ownerOfProjects(): { uid: number; gid: number } {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  return uid === 0 ? { uid: 1_000, gid: 1_000 } : { uid, gid };
}

/** `more` are further arguments of docker build. */
export async function buildImage({ uid, gid } = ownerOfProjects(), ...more: string[]): Promise<void> {
  const values = [`CCL_QUEUE_UID=${uid}`, `CCL_QUEUE_GID=${gid}`, "CLAUDE_VERSION=none"];
  const args = values.flatMap((value) => ["--build-arg", value]);
  await execa("docker", ["build", "--network", "host", ...args, ...more, "-t", IMAGE, ROOT]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
