import { randomBytes } from "node:crypto";
import { chownSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { agentLog, type Witness } from "../helpers/agent-log.ts";
import { type ComposeProject, freePort, openProject, ROOT } from "./compose-project.ts";

/** Kept after the tests, so that the next build has something to begin with. */
export const IMAGE = "ccl-queue:test";
const COMPOSE_MS = 180_000;

/** The stack of docker-compose.yml with the demo agent, under a name and on a port of its own. */
export interface Stack extends ComposeProject {
  readonly token: string;
  readonly project: string;
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
  // The operator's own settings would go before those of the file.
  const env = Object.fromEntries(Object.keys(settings).map((key) => [key, undefined]));
  const argv = [...files, "--env-file", envFile, "-p", name, "--profile", "demo"];
  const running = await openProject({ argv, cwd: ROOT, env, port, timeoutMs: COMPOSE_MS });
  const folder = (of: string) => join(project, ".agent-queue", of);
  const down = async () => {
    await running.compose("down", "--volumes", "--remove-orphans", "--timeout", "5");
    await rm(dir, { recursive: true, force: true });
  };

  const stack: Stack = {
    ...running,
    token: secrets.CCL_QUEUE_TOKEN,
    project,
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
    await running.compose("up", "-d");
    await stack.ready();
  } catch (error) {
    await down();
    throw error;
  }
  return stack;
}

const secret = () => randomBytes(24).toString("hex");

/** Whom the projects belong to: whoever runs the tests, but for root, whom the image does not run as. */
export function ownerOfProjects(): { uid: number; gid: number } {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  return uid === 0 ? { uid: 1_000, gid: 1_000 } : { uid, gid };
}

/** `more` are further arguments of docker build. */
export async function buildImage({ uid, gid } = ownerOfProjects(), ...more: string[]): Promise<void> {
  const values = [`CCL_QUEUE_UID=${uid}`, `CCL_QUEUE_GID=${gid}`, "CLAUDE_VERSION=none"];
  const args = values.flatMap((value) => ["--build-arg", value]);
  await execa("docker", ["build", "--network", "host", ...args, ...more, "-t", IMAGE, ROOT]);
}
