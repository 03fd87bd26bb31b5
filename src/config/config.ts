import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { isSystemError, messageOf, QueueError } from "../core/errors.ts";
import type { Provider } from "../core/route.ts";
import type { Complexity } from "../core/task.ts";
import type { Environment } from "./environment.ts";
import { explainIssue } from "./explain-issue.ts";
import { type ConfigFile, configSchema, type NotifyEvent } from "./schema.ts";

/** The configuration in force, with absolute paths and durations in milliseconds. Frozen once read. */
export interface Config {
  /** Names the queues in Redis: hosts that share it share the work. */
  readonly workspace: string;
  readonly stateDir: string;
  /** null = the embedded Redis. */
  readonly redisUrl: string | null;
  readonly tmuxSocket: string;
  readonly pool: { readonly prefix: string; readonly startIndex: number; readonly min: number; readonly max: number };
  /** Where a new session of the pool starts. */
  readonly sessionDir: string;
  /** Every directory in it with an inbox is watched. */
  readonly projectsDir: string | null;
  readonly dedicated: readonly { readonly project: string; readonly session: string | null }[];
  readonly claude: {
    readonly command: string;
    readonly args: readonly string[];
    readonly models: { readonly critical: string; readonly default: string };
    /** How often a task is tried that crashes or meets an API error. */
    readonly attempts: number;
    /** The pause before the second attempt. */
    readonly backoffMs: number;
    /** How long an agent may show no sign of life. */
    readonly timeoutMs: number;
    /** How long a session waits for a person. */
    readonly attentionTimeoutMs: number;
  };
  /** How long an agent may take from its launch to its acceptance of the prompt. */
  readonly promptTimeoutMs: number;
  readonly sweepIntervalMs: number;
  /** How long a session rests after a launch that failed. */
  readonly cooldownMs: number;
  readonly secutools: {
    /** null = not configured, as is a key that is null: then nothing is delegated. */
    readonly url: string | null;
    readonly apiKey: string | null;
    /** How often the platform is asked about jobs, unless they are fresh or old. */
    readonly pollIntervalMs: number;
    /** Requests in flight at most. */
    readonly concurrency: number;
    /** Jobs submitted in a second at most. */
    readonly rateLimit: number;
    /** A job that is not over by then has failed. */
    readonly maxAgeMs: number;
    /** The provider for `preferred_ai: auto`, by `complexity_hint`. */
    readonly auto: Readonly<Record<Complexity | "none", Provider>>;
  };
  /** Who is told of what; off where there is neither a webhook nor a command. */
  readonly notify: {
    readonly webhook: string | null;
    readonly webhookSecret: string | null;
    /** A program and its arguments. */
    readonly command: readonly string[] | null;
    readonly on: readonly NotifyEvent[];
  };
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly token: string | null;
    /** Nothing can be changed over HTTP; the command line still can. */
    readonly readOnly: boolean;
  };
  /** A host of the workspace that is silent for so long is dead: its work is taken over. */
  readonly goneAfterMs: number;
  readonly retention: { readonly jobsMs: number; readonly runsMs: number };
}

/** A configuration with which tasks are delegated. */
export type Delegating = Config & { readonly secutools: { readonly url: string; readonly apiKey: string } };

export function isDelegating(config: Config): config is Delegating {
  return config.secutools.url !== null && config.secutools.apiKey !== null;
}

/** The name that `ccl-queue init` gives the file, and that is looked for in the working directory. */
const CONFIG_FILE_NAME = "ccl-queue.yaml";

/** Where the configuration is looked for when no file is named, first found wins. */
export function configCandidates(environment: Environment, cwd: string): string[] {
  return [join(cwd, CONFIG_FILE_NAME), join(environment.home, ".config", "ccl-queue", "config.yaml")];
}

/** Reads and checks one configuration file. @throws {QueueError} CONFIG_NOT_FOUND, CONFIG_INVALID */
export function loadConfig(file: string, environment: Environment): Config {
  const path = resolve(file);
  const parsed = configSchema.safeParse(parseYaml(readText(path), path), { reportInput: true });
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => explainIssue(issue, configSchema));
    throw new QueueError(`${path}: ${problems.join("\n  ")}`, {
      code: "CONFIG_INVALID",
      hint: "docs/configuration.md lists every key",
    });
  }
  const config = toConfig(parsed.data, dirname(path), environment);
  if (config.secutools.apiKey !== null && config.secutools.url === null) throw urlMissing(path);
  return deepFreeze(config);
}

function urlMissing(path: string): QueueError {
  return new QueueError(`${path}: SECUTOOLS_API_KEY is set, and nothing says where secutools is`, {
    code: "CONFIG_INVALID",
    hint: "set secutools.url or SECUTOOLS_URL, or unset the key to delegate nothing",
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const what = isSystemError(error, "ENOENT") ? "there is no such file" : "it cannot be read";
    throw new QueueError(`${path}: ${what}`, {
      code: "CONFIG_NOT_FOUND",
      hint: "`ccl-queue init` writes one",
      cause: error,
    });
  }
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text) ?? {};
  } catch (error) {
    const [what] = messageOf(error).split("\n");
    throw new QueueError(`${path}: ${what}`, { code: "CONFIG_INVALID", cause: error });
  }
}

function toConfig(file: ConfigFile, base: string, environment: Environment): Config {
  const toPath = (text: string) =>
    resolve(
      base,
      text.replace(/^~(?=\/|$)/, () => environment.home),
    );
  /** A name is looked up in the PATH. */
  const toProgram = (text: string) => (text.includes("/") ? toPath(text) : text);
  const { autonomous, dedicated, shared_projects_dir } = file.pool;
  const projects = file.dispatcher.projects_dir ?? shared_projects_dir;
  const sessionDir = shared_projects_dir ?? projects;
  return {
    workspace: file.workspace,
    stateDir: toPath(file.state_dir),
    redisUrl: environment.redisUrl ?? file.redis.url,
    tmuxSocket: file.tmux.socket_name,
    pool: { prefix: autonomous.prefix, startIndex: autonomous.start_index, min: autonomous.min, max: autonomous.max },
    sessionDir: sessionDir === undefined ? environment.home : toPath(sessionDir),
    projectsDir: projects === undefined ? null : toPath(projects),
    dedicated: dedicated.map(({ project, session }) => ({ project: toPath(project), session: session ?? null })),
    claude: {
      command: toProgram(file.claude.command),
      args: file.claude.args,
      models: file.claude.models,
      attempts: file.claude.attempts,
      backoffMs: file.claude.backoff,
      timeoutMs: file.claude.timeout,
      attentionTimeoutMs: file.claude.attention_timeout,
    },
    promptTimeoutMs: file.dispatcher.prompt_timeout,
    sweepIntervalMs: file.dispatcher.poll_interval,
    cooldownMs: file.dispatcher.cooldown,
    secutools: {
      url: environment.secutoolsUrl ?? file.secutools.url,
      apiKey: environment.secutoolsApiKey,
      pollIntervalMs: file.secutools.poll_interval,
      concurrency: file.secutools.concurrency,
      rateLimit: file.secutools.rate_limit,
      maxAgeMs: file.secutools.max_age,
      auto: file.secutools.auto,
    },
    notify: {
      webhook: file.notify.webhook,
      webhookSecret: environment.webhookSecret,
      command: file.notify.command?.map((text, index) => (index === 0 ? toProgram(text) : text)) ?? null,
      on: file.notify.on,
    },
    server: {
      host: file.server.host,
      port: file.server.port,
      token: environment.token,
      readOnly: file.server.read_only,
    },
    goneAfterMs: file.hosts.gone_after,
    retention: { jobsMs: file.retention.jobs, runsMs: file.retention.runs },
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) deepFreeze(part);
  return Object.freeze(value);
}
