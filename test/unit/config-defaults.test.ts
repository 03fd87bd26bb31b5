import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { demoConfig } from "../../src/config/demo-config.ts";
import { configSchema } from "../../src/config/schema.ts";
import { environmentWith } from "../helpers/environment.ts";

const ENVIRONMENT = environmentWith({ home: "/home/op" });

/** Every key that has a default, with it: the earlier daemon's keys, then ours. A new key is written down here. */
const EARLIER = `
pool:
  shared_projects_dir: ~/projects
  autonomous: { prefix: "ccl-auto-", start_index: 11, min: 10, max: 10 }
  dedicated: [{ project: ~/projects/site }]     # operators' own sessions: their projects are watched, their sessions never touched
dispatcher: { projects_dir: ~/projects, prompt_timeout: 30s, poll_interval: 60s, cooldown: 5m }
`;
const OURS = `
# ours, each with this default
workspace: default
state_dir: ~/.local/state/ccl-queue
redis: { url: null }                            # null = embedded
tmux: { socket_name: default }                  # tmux -L NAME; default = the operators' own server
claude: { command: claude, args: [--dangerously-skip-permissions], models: { critical: opus, default: sonnet }, attempts: 3, backoff: 10s, timeout: 2h, attention_timeout: 1h }
secutools: { url: null, poll_interval: 30s, concurrency: 20, rate_limit: 50, max_age: 24h, auto: { low: gpu, medium: gemini, high: claude-api, none: gemini } }
notify: { webhook: null, command: null, on: [failed, attention, hold] }
server: { host: 127.0.0.1, port: 8420, read_only: false }
hosts: { gone_after: 60s }
retention: { jobs: 30d, runs: 30d }
`;
const LEAST = "dispatcher: { projects_dir: ~/projects }\n";

const EXPECTED: Config = {
  workspace: "default",
  stateDir: "/home/op/.local/state/ccl-queue",
  redisUrl: null,
  tmuxSocket: "default",
  pool: { prefix: "ccl-auto-", startIndex: 11, min: 10, max: 10 },
  sessionDir: "/home/op/projects",
  projectsDir: "/home/op/projects",
  dedicated: [],
  claude: {
    command: "claude",
    args: ["--dangerously-skip-permissions"],
    models: { critical: "opus", default: "sonnet" },
    attempts: 3,
    backoffMs: 10_000,
    timeoutMs: 7_200_000,
    attentionTimeoutMs: 3_600_000,
  },
  promptTimeoutMs: 30_000,
  sweepIntervalMs: 60_000,
  cooldownMs: 300_000,
  secutools: {
    url: null,
    apiKey: null,
    pollIntervalMs: 30_000,
    concurrency: 20,
    rateLimit: 50,
    maxAgeMs: 86_400_000,
    auto: { low: "gpu", medium: "gemini", high: "claude-api", none: "gemini" },
  },
  notify: { webhook: null, webhookSecret: null, command: null, on: ["failed", "attention", "hold"] },
  server: { host: "127.0.0.1", port: 8420, token: null, readOnly: false },
  goneAfterMs: 60_000,
  retention: { jobsMs: 2_592_000_000, runsMs: 2_592_000_000 },
};

function load(yaml: string): Config {
  const dir = mkdtempSync(join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "ccl-queue.yaml"), yaml);
  return loadConfig(join(dir, "ccl-queue.yaml"), ENVIRONMENT);
}

/** Each leaf of a value with its path: what a person would call a key. */
function leaves(value: unknown, path: string[] = []): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path.join("."), value]];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}

describe("left out, each key has its default", () => {
  const written = new Map(leaves(configSchema.parse({ ...parse(LEAST), ...parse(OURS) })));
  const left = new Map(leaves(configSchema.parse(parse(LEAST))));

  test.each(leaves(parse(OURS)).map(([key]) => key))("%s", (key) => {
    expect(left.has(key)).toBe(true);
    expect(left.get(key)).toEqual(written.get(key));
  });

  test("and no default is missing here", () => {
    const told = [...leaves(parse(OURS)), ...leaves(parse(EARLIER))].map(([key]) => key);
    expect([...left.keys()].filter((key) => !told.includes(key))).toEqual([]);
  });
});

test("the least configuration is the folder of the projects", () => {
  expect(load(LEAST)).toEqual(EXPECTED);
});

test("all keys of ours written out change nothing", () => {
  expect(load(LEAST + OURS)).toEqual(EXPECTED);
});

describe("a configuration of the earlier daemon", () => {
  test("works as it is", () => {
    const dedicated = [{ project: "/home/op/projects/site", session: null }];
    expect(load(EARLIER)).toEqual({ ...EXPECTED, dedicated });
  });

  test("has every value that it sets", () => {
    const config = load(`
pool:
  shared_projects_dir: /srv/shared
  autonomous: { prefix: "night-", start_index: 0, min: 2, max: 4 }
  dedicated: [{ project: /srv/site, session: site }, { project: /srv/blog }]
dispatcher: { projects_dir: /srv/projects, prompt_timeout: 1m, poll_interval: 5s, cooldown: 90s }
`);
    expect(config).toEqual({
      ...EXPECTED,
      pool: { prefix: "night-", startIndex: 0, min: 2, max: 4 },
      sessionDir: "/srv/shared",
      projectsDir: "/srv/projects",
      dedicated: [
        { project: "/srv/site", session: "site" },
        { project: "/srv/blog", session: null },
      ],
      promptTimeoutMs: 60_000,
      sweepIntervalMs: 5_000,
      cooldownMs: 90_000,
    });
  });

  test("that names only the shared folder has its projects there", () => {
    const config = load("pool: { shared_projects_dir: /srv/shared }");
    expect(config).toMatchObject({ projectsDir: "/srv/shared", sessionDir: "/srv/shared" });
  });

  test("that only lists projects has no folder, and sessions start at home", () => {
    const config = load("pool: { dedicated: [{ project: /srv/site }] }");
    expect(config).toMatchObject({ projectsDir: null, sessionDir: "/home/op" });
  });
});

test("each key of ours that is read is taken over", () => {
  const config = load(`${LEAST}
workspace: team.a-1_b
state_dir: /var/lib/queue
redis: { url: redis://db:6379/2 }
tmux: { socket_name: queue }
claude:
  command: /opt/claude
  args: []
  models: { critical: best, default: good }
  attempts: 5
  backoff: 500ms
  timeout: 90m
  attention_timeout: 15m
hosts: { gone_after: 3m }
retention: { jobs: 1d, runs: 2d }
`);
  expect(config).toEqual({
    ...EXPECTED,
    workspace: "team.a-1_b",
    stateDir: "/var/lib/queue",
    redisUrl: "redis://db:6379/2",
    tmuxSocket: "queue",
    claude: {
      command: "/opt/claude",
      args: [],
      models: { critical: "best", default: "good" },
      attempts: 5,
      backoffMs: 500,
      timeoutMs: 5_400_000,
      attentionTimeoutMs: 900_000,
    },
    goneAfterMs: 180_000,
    retention: { jobsMs: 86_400_000, runsMs: 172_800_000 },
  });
});

test("a configuration in force cannot be changed, at any depth", () => {
  const config = load(EARLIER);
  const parts = [config, config.pool, config.claude, config.claude.args, config.claude.models, config.retention];
  const [site] = config.dedicated;
  expect(parts.filter((part) => !Object.isFrozen(part))).toEqual([]);
  expect(Object.isFrozen(config.dedicated)).toBe(true);
  expect(Object.isFrozen(site)).toBe(true);
  expect(() => Object.assign(config.pool, { max: 11 })).toThrow(TypeError);
});

describe("the demo's configuration", () => {
  const config = demoConfig("/srv/demo", null);

  test("keeps to the demo project and to a tmux server of its own", () => {
    expect(config).toMatchObject({
      stateDir: "/srv/demo/.state",
      redisUrl: null,
      projectsDir: null,
      sessionDir: "/srv/demo",
      dedicated: [{ project: "/srv/demo", session: null }],
    });
    expect(config.tmuxSocket).toMatch(/^ccl-queue-demo-[0-9a-f]{6}$/);
  });

  test("has three sessions, and keeps what is over for a day", () => {
    expect(config.pool).toEqual({ prefix: "ccl-auto-", startIndex: 11, min: 3, max: 3 });
    expect(config.retention).toEqual({ jobsMs: 86_400_000, runsMs: 86_400_000 });
  });

  test("runs the demo agent with what Claude Code would be given", () => {
    const args = ["/srv/demo/agent.js", ...EXPECTED.claude.args];
    expect(config.claude).toEqual({ ...EXPECTED.claude, command: process.execPath, args });
  });

  test("of another copy has another tmux server, of the same copy always the same", () => {
    expect(demoConfig("/srv/demo2", null).tmuxSocket).not.toBe(config.tmuxSocket);
    expect(demoConfig("/srv/demo", null).tmuxSocket).toBe(config.tmuxSocket);
  });
});
