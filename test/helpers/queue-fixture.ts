import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { App } from "../../src/app.ts";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import type { TaskEvent } from "../../src/core/events.ts";
import type { Hold } from "../../src/core/verdict.ts";
import { agentLog, type Witness } from "./agent-log.ts";
import { environmentWith } from "./environment.ts";
import { endLivingIn } from "./living.ts";
import { ownDatabase } from "./test-redis.ts";
import { until } from "./until.ts";

const AGENT = [process.execPath, new URL("../../demo/agent.js", import.meta.url).pathname];
const AGENT_SCRIPT = new URL("agent.sh", import.meta.url).pathname;

export interface FixtureOptions {
  /** Sessions in the pool. */
  readonly sessions?: number;
  /** More YAML for the configuration file, for keys that are not set here. */
  readonly yaml?: string;
  readonly project?: string;
  /** How often every inbox is swept; a minute unless said. */
  readonly sweep?: string;
  /** How long an agent may take to start, and then to take its prompt. */
  readonly promptTimeout?: string;
  /** How long an agent works on a task that does not say. */
  readonly workMs?: number;
  /** More keys of `claude:`; one attempt unless said. */
  readonly limits?: string;
  /** The platform to delegate to, how often it is asked, and more keys of `secutools:`. */
  readonly secutools?: {
    readonly url: string;
    readonly key: string;
    readonly poll?: string;
    readonly more?: string;
  };
  /** A Redis that the daemon starts itself, whatever the other tests have: for tests that are about it. */
  readonly embeddedRedis?: boolean;
  /** A Redis of the test's own, which it can do things to. */
  readonly redisUrl?: string;
  /** What clients of the server have to show; nothing unless said. */
  readonly token?: string;
  /** The clock that holds and delegated tasks go by. */
  readonly now?: () => number;
  /** The real Claude Code in place of the scripted agent, in exactly this environment. */
  readonly claude?: { readonly command: string; readonly environment: Readonly<Record<string, string>> };
}

/** A whole queue of its own: directory, Redis, tmux server, projects and scripted agents. */
export interface QueueFixture {
  readonly dir: string;
  readonly config: Config;
  readonly configFile: string;
  /** What the agents' sessions inherit. */
  readonly environment: Readonly<Record<string, string>>;
  readonly app: App;
  readonly project: string;
  readonly events: TaskEvent[];
  readonly errors: unknown[];
  readonly holds: (Hold | null)[];
  /** Moves a task in whole. */
  drop(name: string, text: string, project?: string): Promise<void>;
  /** The names in a folder of .agent-queue. */
  names(folder: "inbox" | "done" | "failed", project?: string): Promise<string[]>;
  read(folder: "inbox" | "done" | "failed", name: string): Promise<string>;
  /** Waits until so many files are in a folder, and none is on its way there. */
  settled(folder: "done" | "failed", count: number, timeoutMs?: number): Promise<string[]>;
  /** What the agents themselves wrote down: the witness of what ran. */
  witness(): Promise<Witness[]>;
  tmux(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a queue on the scripted agent. */
export async function startQueue(options: FixtureOptions = {}): Promise<QueueFixture> {
  const fixture = await prepareQueue(options);
  await fixture.app.start();
  return fixture;
}

/** The same, not started yet. */
export async function prepareQueue(options: FixtureOptions = {}): Promise<QueueFixture> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-test-"));
  const socket = `ccl-queue-test-${dir.slice(-6)}`;
  const project = join(dir, "projects", options.project ?? "alpha");
  await mkdir(join(project, ".agent-queue", "inbox"), { recursive: true });
  await mkdir(join(dir, "home"));
  const configFile = await writeConfig(dir, socket, options);
  const config = loadConfig(
    configFile,
    environmentWith({
      home: join(dir, "home"),
      secutoolsApiKey: options.secutools?.key ?? null,
      token: options.token ?? null,
    }),
  );
  const log = join(dir, "agents.jsonl");
  const events: TaskEvent[] = [];
  const errors: unknown[] = [];
  const environment = {
    HOME: join(dir, "home"),
    CLAUDE_CONFIG_DIR: join(dir, "claude"),
    CCL_QUEUE_AGENT_LOG: log,
    CCL_QUEUE_AGENT_WORK_MS: String(options.workMs ?? 50),
  };
  const holds: (Hold | null)[] = [];
  const app = new App({
    config,
    environment: options.claude?.environment ?? childEnvironment(environment),
    onError: (error) => errors.push(error),
    onHold: (hold) => holds.push(hold),
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  app.events.on((event) => events.push(event));
  // The sessions of a server inherit what it was started with, and nothing of ours.
  if (options.claude !== undefined) {
    const clean = { env: { ...options.claude.environment }, extendEnv: false };
    await execa("tmux", ["-L", socket, "-f", "/dev/null", "new-session", "-d", "-s", "keeper"], clean);
  }
  const folder = (name: string, of = project) => join(of, ".agent-queue", name);

  return {
    dir,
    config,
    configFile,
    environment,
    app,
    project,
    events,
    errors,
    holds,
    drop: async (name, text, to = project) => {
      const draft = join(dir, `draft-${Math.random().toString(36).slice(2)}`);
      await writeFile(draft, text);
      await rename(draft, join(folder("inbox", to), name));
    },
    names: async (name, of = project) => (await readdir(folder(name, of)).catch(() => [])).sort(),
    read: async (name, file) => await readFile(join(folder(name), file), "utf8"),
    settled: async (name, count, timeoutMs) => {
      const settled = async () => {
        const names = (await readdir(folder(name)).catch(() => [])).filter((file) => !file.startsWith("."));
        return names.length >= count && names;
      };
      const isOnItsWay = async () => {
        const [left, hidden] = [await readdir(folder("inbox")), await readdir(folder(name)).catch(() => [])];
        return left.some((file) => file.endsWith(".taken")) || hidden.some((file) => file.startsWith("."));
      };
      const names = await until(`${count} files in ${name}/`, settled, timeoutMs);
      await until("no file is on its way", async () => !(await isOnItsWay()));
      return names;
    },
    witness: async () => await agentLog(log),
    tmux: async (...args) => (await execa("tmux", ["-L", socket, ...args], { env: environment })).stdout,
    stop: async () => {
      await app.stop();
      await app.tmux.killServer();
      // Agents that end with the server, or ignore it, would still write to their home.
      await endLivingIn(environment.HOME);
      await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}

async function writeConfig(dir: string, socket: string, options: FixtureOptions): Promise<string> {
  const sessions = options.sessions ?? 2;
  const file = join(dir, "ccl-queue.yaml");
  const limits = options.limits ?? "attempts: 1";
  const lines = [
    `state_dir: ${join(dir, "state")}`,
    `tmux: { socket_name: ${socket} }`,
    `dispatcher: { projects_dir: ${join(dir, "projects")}, prompt_timeout: ${options.promptTimeout ?? "20s"}, cooldown: 1s, poll_interval: ${options.sweep ?? "60s"} }`,
    options.claude === undefined
      ? `claude: { command: ${AGENT_SCRIPT}, args: ${JSON.stringify([...AGENT, "--dangerously-skip-permissions"])}, ${limits} }`
      : `claude: { command: ${options.claude.command}, ${limits} }`,
    "server: { port: 0 }",
    ...redisLine(options.redisUrl ?? (options.embeddedRedis ? null : await ownDatabase())?.url ?? null),
    ...secutoolsLine(options.secutools),
    options.yaml ?? `pool: { autonomous: { min: ${sessions}, max: ${sessions} } }`,
  ];
  await writeFile(file, lines.join("\n"));
  return file;
}

function redisLine(url: string | null): string[] {
  return url === null ? [] : [`redis: { url: "${url}" }`];
}

function secutoolsLine(secutools: FixtureOptions["secutools"]): string[] {
  if (secutools === undefined) return [];
  const { url, poll = "500ms", more = "concurrency: 20" } = secutools;
  return [`secutools: { url: "${url}", poll_interval: ${poll}, ${more} }`];
}
