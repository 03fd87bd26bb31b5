import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { configCandidates, isDelegating, loadConfig } from "../../src/config/config.ts";
import { configSchema } from "../../src/config/schema.ts";
import { QueueError } from "../../src/core/errors.ts";
import { environmentWith } from "../helpers/environment.ts";

const ENVIRONMENT = environmentWith({ home: "/home/op" });
const LEAST = "dispatcher: { projects_dir: ~/projects }\n";

let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "config-"));
  file = join(dir, "ccl-queue.yaml");
  onTestFinished(() => rmSync(dir, { recursive: true }));
});

/** The error that a configuration of this text leads to. */
function problemOf(yaml: string | Uint8Array): QueueError {
  writeFileSync(file, yaml);
  return errorOf(() => loadConfig(file, ENVIRONMENT));
}

function errorOf(load: () => unknown): QueueError {
  try {
    load();
  } catch (error) {
    if (error instanceof QueueError) return error;
    throw error;
  }
  throw new Error("nothing was wrong with it");
}

describe("an unknown key is refused", () => {
  const node = z.object({ properties: z.record(z.string(), z.unknown()).optional(), items: z.unknown().optional() });

  /** Each group of keys in the schema: its path (a number = an element of a list) and one key that it knows. */
  function groups(schema: unknown, path: readonly string[] = []): { path: readonly string[]; known: string }[] {
    const { properties = {}, items } = node.parse(schema);
    if (items !== undefined) return groups(items, [...path, "0"]);
    const [known] = Object.keys(properties);
    const below = Object.entries(properties).flatMap(([key, part]) => groups(part, [...path, key]));
    return known === undefined ? below : [{ path, known }, ...below];
  }

  function nested([head, ...rest]: readonly string[], leaf: object): object {
    if (head === undefined) return leaf;
    return head === "0" ? [nested(rest, leaf)] : { [head]: nested(rest, leaf) };
  }

  const all = groups(z.toJSONSchema(configSchema, { io: "input" })).map(({ path, known }) => ({
    path,
    known,
    typo: `${known}x`,
    key: [...path, `${known}x`].join("."),
  }));

  test.each(all)("$key: did you mean $known?", ({ path, known, typo, key }) => {
    const { code, message } = problemOf(stringify(nested(path, { [typo]: 1 })));
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain(`${key}: unknown key, did you mean ${known}?`);
  });

  test("in every group of the schema, those in lists included", () => {
    const paths = all.map(({ path }) => path.join("."));
    expect(paths).toEqual(
      expect.arrayContaining(["", "pool", "pool.autonomous", "pool.dedicated.0", "claude.models", "secutools.auto"]),
    );
    expect(paths).toHaveLength(15);
  });

  test.each([
    [
      "pool: { dedicated: [{ project: a }, { project: b, sesion: c }] }",
      "pool.dedicated.1.sesion: unknown key, did you mean session?",
    ],
    [`${LEAST}clade: {}`, "clade: unknown key, did you mean claude?"],
    [`${LEAST}tmux: { port: 1 }`, "tmux.port: unknown key; known: socket_name"],
    [`${LEAST}retention: { forever: 1 }`, "retention.forever: unknown key; known: jobs, runs"],
    [`${LEAST}tmux: { socket: x }`, "tmux.socket: unknown key; known: socket_name"],
    [`${LEAST}tmux: { socketname: x }`, "tmux.socketname: unknown key, did you mean socket_name?"],
    [
      "dispatcher: { projects_dir: a, colddown: 1, zzzzzz: 1 }",
      "dispatcher.colddown: unknown key, did you mean cooldown?; dispatcher.zzzzzz: unknown key; known: projects_dir, prompt_timeout, poll_interval, cooldown",
    ],
  ])("%j", (yaml, problem) => {
    expect(problemOf(yaml).message).toBe(`${file}: ${problem}`);
  });

  test.each([
    ["two letters of a short key wrong", "retention: { joxx: 1 }", "retention.joxx: unknown key, did you mean jobs?"],
    ["three of them", "retention: { jxxx: 1 }", "retention.jxxx: unknown key; known: jobs, runs"],
    ["a third of a long key wrong", "dispatcher: { prompt_tim0000: 1 }", "did you mean prompt_timeout?"],
    ["more than a third", "dispatcher: { prompt_ti00000: 1 }", "unknown key; known: projects_dir, prompt_timeout"],
  ])("a guess is made up to a point: %s", (_what, yaml, problem) => {
    expect(problemOf(yaml).message).toContain(problem);
  });

  test.each(["__proto__", "constructor", "toString"])("%s, which every object has, too", (key) => {
    expect(problemOf(`${LEAST}${key}: {}`).message).toContain(`${key}: unknown key; known: workspace, `);
  });
});

describe("a value that cannot be", () => {
  test.each([
    ["prompt_timeout: 30", "dispatcher.prompt_timeout: Invalid input: expected string, received number"],
    ["prompt_timeout: soon", 'dispatcher.prompt_timeout: expected a duration such as 30s, 5m or 2h, got "soon"'],
    ["prompt_timeout: 0s", 'dispatcher.prompt_timeout: expected a duration such as 30s, 5m or 2h, got "0s"'],
    ["prompt_timeout: -1s", 'dispatcher.prompt_timeout: expected a duration such as 30s, 5m or 2h, got "-1s"'],
    ["poll_interval: 1h30m", 'dispatcher.poll_interval: expected a duration such as 30s, 5m or 2h, got "1h30m"'],
    ["cooldown:", "dispatcher.cooldown: Invalid input: expected string, received null"],
  ])("dispatcher: %s", (line, problem) => {
    expect(problemOf(`dispatcher:\n  projects_dir: a\n  ${line}\n`).message).toBe(`${file}: ${problem}`);
  });

  test.each([
    ["retention: { jobs: never }", "retention.jobs: expected a duration"],
    ["retention: { runs: 1 }", "retention.runs: Invalid input"],
    ["claude: { timeout: 2 hours }", "claude.timeout: expected a duration"],
    [
      "hosts: { gone_after: 29999ms }",
      "hosts.gone_after: must be at least 30s: a host says every 10 s that it is there",
    ],
    ["hosts: { gone_after: 25d }", "hosts.gone_after: must not be longer than 24d"],
    ["hosts: { gone_after: 30 }", "hosts.gone_after: Invalid input: expected string, received number"],
    ["claude: { attempts: 0 }", "claude.attempts: "],
    ["claude: { attempts: 1.5 }", "claude.attempts: "],
    ["claude: { backoff: 10 }", "claude.backoff: Invalid input: expected string, received number"],
    ["claude: { backoff: 0s }", 'claude.backoff: expected a duration such as 30s, 5m or 2h, got "0s"'],
    ["claude: { backoff: later }", 'claude.backoff: expected a duration such as 30s, 5m or 2h, got "later"'],
    ["claude: { attention_timeout: 60 }", "claude.attention_timeout: Invalid input: expected string, received number"],
    [
      "claude: { attention_timeout: -1h }",
      'claude.attention_timeout: expected a duration such as 30s, 5m or 2h, got "-1h"',
    ],
    ["claude: { attention_timout: 1h }", "claude.attention_timout: unknown key, did you mean attention_timeout?"],
    ["claude: { backof: 1s }", "claude.backof: unknown key, did you mean backoff?"],
    ["claude: { command: '' }", "claude.command: "],
    ["claude: { args: x }", "claude.args: "],
    ["secutools: { poll_interval: x }", "secutools.poll_interval: expected a duration"],
    ["secutools: { max_age: x }", "secutools.max_age: expected a duration"],
    ["secutools: { auto: { low: gpt } }", "secutools.auto.low: "],
    ["secutools: { url: here }", "secutools.url: "],
    ["notify: { webhook: here }", "notify.webhook: "],
    ["notify: { webhook: 'ftp://h/x' }", "notify.webhook: "],
    ["notify: { webhook: 'https://me@h/x' }", "notify.webhook: must not hold a user name or a password"],
    ["notify: { webhook: 'https://:s@h/x' }", "notify.webhook: must not hold a user name or a password"],
    ["notify: { command: notify-me }", "notify.command: "],
    ["notify: { command: [] }", "notify.command.0: "],
    ["notify: { command: [''] }", "notify.command.0: "],
    ["notify: { command: ['/bin/true', 1] }", "notify.command.1: "],
    ["notify: { on: failed }", "notify.on: "],
    ["notify: { on: [fail] }", "notify.on.0: "],
    ["server: { port: 65536 }", "server.port: "],
    ["server: { read_only: 1 }", "server.read_only: "],
    ["workspace: a b", "workspace: may hold letters, digits, ., - and _ only"],
    ["workspace: '{a}'", "workspace: may hold letters, digits, ., - and _ only"],
    ["tmux: { socket_name: 'a/b' }", "tmux.socket_name: may hold letters, digits, - and _ only"],
    ["pool: { autonomous: { prefix: 'a.b' } }", "pool.autonomous.prefix: may hold letters, digits, - and _ only"],
    ["pool: { autonomous: { prefix: '' } }", "pool.autonomous.prefix: may hold letters, digits, - and _ only"],
    ["pool: { autonomous: { min: 11 } }", "pool.autonomous.min: min must not be larger than max"],
    ["pool: { autonomous: { min: -1 } }", "pool.autonomous.min: "],
    ["pool: { autonomous: { max: 1001 } }", "pool.autonomous.max: "],
    ["pool: { autonomous: { max: 0, min: 0 } }", "pool.autonomous.max: "],
    ["pool: { autonomous: { start_index: 1.5 } }", "pool.autonomous.start_index: "],
    ["pool: { dedicated: [{ session: x }] }", "pool.dedicated.0.project: "],
    ["pool: { dedicated: [{ project: '' }] }", "pool.dedicated.0.project: "],
    ["pool: { dedicated: [{ project: a, session: 'a:b' }] }", "pool.dedicated.0.session: may hold letters, digits"],
    ["pool: 1", "pool: Invalid input: expected object"],
    ["redis: { url: '' }", "redis.url: "],
  ])("%s", (yaml, problem) => {
    const { code, message, hint } = problemOf(LEAST + yaml);
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain(`${file}: ${problem}`);
    expect(hint).toBe("docs/configuration.md lists every key");
  });

  test.each(["prompt_timeout", "poll_interval"])(
    "%s, where it is longer than a timer can hold: it would end at once",
    (key) => {
      const { message } = problemOf(`dispatcher: { projects_dir: a, ${key}: 2147483648ms }`);
      expect(message).toContain(`dispatcher.${key}: must not be longer than 24d`);
    },
  );

  test("several problems are told together", () => {
    const { message } = problemOf(`${LEAST}worksapce: a\nclaude: { attempts: 0 }\n`);
    expect(message).toContain("worksapce: unknown key, did you mean workspace?");
    expect(message).toContain("claude.attempts: ");
  });
});

describe("the least and the most that a value may be", () => {
  test.each([
    "dispatcher: { projects_dir: a, prompt_timeout: 1ms, poll_interval: 2147483647ms, cooldown: 1ms }",
    `${LEAST}pool: { autonomous: { prefix: _, start_index: 0, min: 0, max: 1 } }`,
    `${LEAST}pool: { autonomous: { min: 1000, max: 1000 } }`,
    `${LEAST}claude: { command: c, args: [], models: { critical: o, default: s }, attempts: 1, timeout: 365d }`,
    `${LEAST}claude: { attempts: 1000, backoff: 1ms, attention_timeout: 1ms }`,
    `${LEAST}claude: { backoff: 365d, attention_timeout: 365d }`,
    `${LEAST}secutools: { url: "http://s", poll_interval: 1ms, concurrency: 1, max_age: 365d }`,
    `${LEAST}server: { host: "0", port: 0 }`,
    `${LEAST}server: { port: 65535 }`,
    `${LEAST}redis: { url: r }`,
    `${LEAST}notify: { webhook: "http://h", command: ["x", ""], on: [] }`,
    `${LEAST}notify: { webhook: "https://h/x?y=z", on: [done, failed, attention, hold] }`,
    `${LEAST}retention: { jobs: 1ms, runs: 3650d }`,
    `${LEAST}hosts: { gone_after: 30s }`,
    `${LEAST}hosts: { gone_after: 24d }`,
  ])("%s", (yaml) => {
    writeFileSync(file, yaml);
    expect(() => loadConfig(file, ENVIRONMENT)).not.toThrow();
  });
});

describe("nothing to watch", () => {
  test.each(["", "# nothing\n", "{}", "workspace: a", "pool: { dedicated: [] }", "dispatcher: { cooldown: 1m }"])(
    "%j",
    (yaml) => {
      expect(problemOf(yaml).message).toBe(
        `${file}: dispatcher.projects_dir: nothing to watch: set dispatcher.projects_dir, or list projects under pool.dedicated`,
      );
    },
  );
});

describe("a file that is no configuration", () => {
  test.each([
    ["dispatcher:\n  projects_dir: a\n cooldown: 5m\n", /same column at line 3, column 1/],
    ["workspace: a\nworkspace: b\n", /unique.* line 2, column 1/],
    ["redis: { url: [1, 2\n", /line 2, column 1/],
    ["a:\n\t- b\n", /Tabs .* line 2, column 1/],
  ])("%j: YAML that does not parse is told with its line", (yaml, place) => {
    const { code, message } = problemOf(yaml);
    expect(code).toBe("CONFIG_INVALID");
    expect(message.startsWith(`${file}: `)).toBe(true);
    expect(message).toMatch(place);
    expect(message.split("\n")).toHaveLength(1);
  });

  test.each(["just text", "- a\n- b\n", "42"])("%j: not a list of keys", (yaml) => {
    expect(problemOf(yaml).message).toContain(`${file}: the file: Invalid input: expected object`);
  });

  test.each([
    ["an alias of nothing", `${LEAST}workspace: *nothing\n`],
    [
      "an anchor bomb",
      `a: &a [${"x,".repeat(20)}]\n${["b", "c", "d", "e"].map((key, index) => `${key}: &${key} [${`*${"abcd"[index]},`.repeat(20)}]\n`).join("")}`,
    ],
  ])("%s is told as a problem of the file", (_what, yaml) => {
    expect(problemOf(yaml).code).toBe("CONFIG_INVALID");
  });

  test("a file that is not there", () => {
    const missing = join(dir, "missing.yaml");
    const error = errorOf(() => loadConfig(missing, ENVIRONMENT));
    expect(error).toMatchObject({
      code: "CONFIG_NOT_FOUND",
      message: `${missing}: there is no such file`,
      hint: "`ccl-queue init` writes one",
    });
    expect(error.cause).toMatchObject({ code: "ENOENT" });
  });

  test("a file that cannot be read", () => {
    mkdirSync(file);
    const error = errorOf(() => loadConfig(file, ENVIRONMENT));
    expect(error).toMatchObject({ code: "CONFIG_NOT_FOUND", message: `${file}: it cannot be read` });
  });
});

test("without a file named, the working directory comes first, then the home", () => {
  expect(configCandidates(ENVIRONMENT, "/srv/queue")).toEqual([
    "/srv/queue/ccl-queue.yaml",
    "/home/op/.config/ccl-queue/config.yaml",
  ]);
});

describe("a key for secutools", () => {
  const KEY = { ...ENVIRONMENT, secutoolsApiKey: "key-1" };

  test("without an address to go to is refused, and not shown", () => {
    writeFileSync(file, LEAST);
    const error = errorOf(() => loadConfig(file, KEY));
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("SECUTOOLS_API_KEY is set"),
    });
    expect(`${error.message}${error.hint}`).not.toContain("key-1");
  });

  test.each([
    ["in the file", `${LEAST}secutools: { url: "http://127.0.0.1:1" }\n`, KEY],
    ["in the environment", LEAST, { ...KEY, secutoolsUrl: "http://127.0.0.1:1" }],
  ])("with one %s turns delegation on", (_where, yaml, environment) => {
    writeFileSync(file, yaml);
    expect(isDelegating(loadConfig(file, environment))).toBe(true);
  });

  test("is needed as well as the address", () => {
    writeFileSync(file, `${LEAST}secutools: { url: "http://127.0.0.1:1" }\n`);
    expect(isDelegating(loadConfig(file, ENVIRONMENT))).toBe(false);
  });
});
