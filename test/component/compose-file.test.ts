import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { loadConfig } from "../../src/config/config.ts";
import { environmentWith } from "../helpers/environment.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

const service = z.looseObject({
  environment: z.union([z.record(z.string(), z.string()), z.array(z.string())]).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  pid: z.string().optional(),
});
const compose = z
  .object({ services: z.record(z.string(), service) })
  .parse(parse(read("docker-compose.yml"), { merge: true }));

/** The variables that a page sets, also in lines that are switched off. */
const documented = [...read(".env.example").matchAll(/^(?:# )?([A-Z_]+)=/gm)].map(([, name]) => name);
const namesIn = (text: string) => [...text.matchAll(/\b([A-Z][A-Z_]+[A-Z])\b/g)].map(([, name = ""]) => name);

describe(".env.example", () => {
  test("has every variable that docker-compose.yml takes, each once and said what for, and no other", () => {
    const substituted = [...read("docker-compose.yml").matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name]) => name);
    const passedOn = Object.values(compose.services).flatMap(({ environment }) =>
      Array.isArray(environment) ? environment : [],
    );
    expect([...documented].sort()).toEqual([...new Set([...substituted, ...passedOn])].sort());
    expect(read(".env.example")).not.toMatch(/^\n(?:# )?[A-Z_]+=/m);
  });

  test("shows the defaults of docker-compose.yml, but for what makes it the demo", () => {
    const defaults = [...read("docker-compose.yml").matchAll(/(?<!\$)\$\{([A-Z_]+):-([^}]+)\}/g)].map(
      ([, name, value]) => [name, value],
    );
    const shown = Object.fromEntries([...read(".env.example").matchAll(/^([A-Z_]+)=(.*)$/gm)].map((it) => it.slice(1)));
    const own = defaults.filter(([name = ""]) => name in shown);
    expect(own.length).toBeGreaterThan(5);
    const others = new Map(own.flatMap(([name = "", value]) => (shown[name] === value ? [] : [[name, value]])));
    expect(Object.fromEntries(others)).toEqual({
      PROJECTS_DIR: "projects",
      CONFIG_FILE: "./docker/demo.yaml",
      CLAUDE_VERSION: "none",
      SECUTOOLS_API_KEY: "demo-key",
    });
  });

  test("switches off the platform, which is the stand-in where nothing is said of it", () => {
    const given = read("docker-compose.yml");
    expect(given).toMatch(/^ +SECUTOOLS_URL: \$\{SECUTOOLS_URL-http:\/\/secutools:8430\}$/m);
    expect(given).toMatch(/^ +SECUTOOLS_API_KEY: \$\{SECUTOOLS_API_KEY-demo-key\}$/m);
    expect(read(".env.example")).toMatch(/^SECUTOOLS_URL=\nSECUTOOLS_API_KEY=$/m);
  });

  test("names the version of Claude Code that the Dockerfile installs and the tests know as the newest", () => {
    const [newest] = /"(\d+\.\d+\.\d+)"/.exec(read("scripts/setup/claude.js"))?.slice(1) ?? [];
    expect(/^CLAUDE_VERSION=(.*)$/m.exec(read(".env.example"))?.[1]).toBe(newest);
    expect(/^ARG CLAUDE_VERSION=(.*)$/m.exec(read("Dockerfile"))?.[1]).toBe(newest);
  });
});

describe("docker-compose.yml", () => {
  test("gives the daemon every variable of its own that it reads, and a password to make the URL of Redis from", () => {
    const [, schema = ""] = /const schema = z\.object\(\{([\s\S]*?)\}\);/.exec(read("src/config/environment.ts")) ?? [];
    const given = Object.keys(compose.services["ccl-queue"]?.environment ?? {});
    const wanted = namesIn(schema).map((name) => (name === "REDIS_URL" ? "REDIS_PASSWORD" : name));
    expect(given.sort()).toEqual(wanted.sort());
  });

  test("can be read without a .env: no variable has to be set", () => {
    expect(read("docker-compose.yml")).not.toMatch(/(?<!\$)\$\{[A-Z_]+:?\?/);
    const bare = [...read("docker-compose.yml").matchAll(/(?<!\$)\$\{[A-Z_]+\}/g)];
    expect(bare).toEqual([]);
  });

  test("mounts the secrets where Redis and the daemon are, and nowhere else", () => {
    const services = Object.entries(compose.services);
    const having = services.filter(([, { volumes }]) => volumes.some((it) => it.startsWith("secrets:")));
    expect(having.map(([name]) => name).sort()).toEqual(["ccl-queue", "redis"]);
  });

  test("publishes the daemon's port alone, on 127.0.0.1", () => {
    const ports = Object.values(compose.services).flatMap((it) => it.ports);
    expect(ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:\$\{CCL_QUEUE_PORT:-8420\}:8420$/)]);
  });

  test("shows agents and daemon the same files at the same places, and the same processes", () => {
    const { agents, "ccl-queue": daemon } = compose.services;
    expect(daemon?.volumes).toEqual(expect.arrayContaining(agents?.volumes ?? ["none"]));
    expect([agents?.pid, daemon?.pid]).toEqual(["service:init", "service:init"]);
  });
});

describe("the configurations", () => {
  const load = (file: string) => loadConfig(join(ROOT, file), environmentWith({ home: "/home/node", token: "t" }));

  test.each(["docker/ccl-queue.yaml", "docker/demo.yaml", "test/docker/ccl-queue.yaml"])(
    "%s fits the containers' paths",
    (file) => {
      const config = load(file);
      expect(config.stateDir).toBe("/var/lib/ccl-queue");
      expect([config.server.host, config.server.port, config.tmuxSocket]).toEqual(["0.0.0.0", 8420, "default"]);
      const mounted = compose.services["agents"]?.volumes.map((volume) => volume.replace(/^.*:/, ""));
      expect(mounted).toEqual(expect.arrayContaining(["/projects", "/var/lib/ccl-queue"]));
    },
  );

  test("docker/ccl-queue.yaml watches all projects, the demo's nothing but its own", () => {
    const watched = ["docker/ccl-queue.yaml", "docker/demo.yaml"].map((file) => {
      const { projectsDir, dedicated } = load(file);
      return [projectsDir, dedicated.map(({ project }) => project)];
    });
    expect(watched).toEqual([
      ["/projects", []],
      [null, ["/projects/demo"]],
    ]);
  });
});

test(".dockerignore lets in everything that the Dockerfile copies, and no secrets", () => {
  const allowed = [...read(".dockerignore").matchAll(/^!(.+)$/gm)].map(([, path = ""]) => path);
  const copied = [...read("Dockerfile").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = ""]) =>
    paths.split(" "),
  );
  const missing = copied.filter((path) => !allowed.some((it) => it === path || it.startsWith(`${path}/`)));
  expect(copied.length).toBeGreaterThan(5);
  expect(missing.map((path) => path.replace(/^\.\//, ""))).toEqual([]);
  expect(read(".dockerignore")).toMatch(/^\*$/m);
});

describe("docker/env.sh", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "env-sh-"));
    mkdirSync(join(dir, "docker"));
    cpSync(join(ROOT, "docker/env.sh"), join(dir, "docker/env.sh"));
    cpSync(join(ROOT, ".env.example"), join(dir, ".env.example"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const run = () => execFileSync("sh", [join(dir, "docker/env.sh")], { stdio: "pipe" });
  const written = () =>
    Object.fromEntries(
      [...readFileSync(join(dir, ".env"), "utf8").matchAll(/^([A-Z_]+)=(.*)$/gm)].map((it) => it.slice(1)),
    );

  test("writes new secrets that only their owner can read, and the defaults", () => {
    run();
    const { CCL_QUEUE_TOKEN: token, REDIS_PASSWORD: password, ...rest } = written();
    expect([token, password]).toEqual([expect.stringMatching(/^[\da-f]{48}$/), expect.stringMatching(/^[\da-f]{48}$/)]);
    expect(token).not.toBe(password);
    expect(rest).toMatchObject({ CONFIG_FILE: "./docker/ccl-queue.yaml", CCL_QUEUE_PORT: "8420" });
    expect(rest).toMatchObject({ PROJECTS_DIR: "./projects", CLAUDE_VERSION: expect.stringMatching(/^\d/) });
    expect(rest).toMatchObject({ SECUTOOLS_URL: "", SECUTOOLS_API_KEY: "" });
    expect(statSync(join(dir, ".env")).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toContain("projects");
  });

  test("never writes over a file that is there", () => {
    run();
    const before = written();
    expect(() => run()).toThrow(/is there already/);
    expect(written()).toEqual(before);
  });
});

describe("docker/make-secret.sh", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "make-secret-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const make = (name: string) => {
    const shown = execFileSync("sh", [join(ROOT, "docker/make-secret.sh"), join(dir, name)], { stdio: "pipe" });
    return { shown: shown.toString(), secret: readFileSync(join(dir, name), "utf8") };
  };

  test("makes one that only its owner can read, tells nobody, and keeps it", () => {
    const { shown, secret } = make("a");
    expect(secret).toMatch(/^[\da-f]{48}\n$/);
    expect(shown).toBe("");
    expect(statSync(join(dir, "a")).mode & 0o777).toBe(0o600);
    expect(make("a").secret).toBe(secret);
    expect(make("b").secret).not.toBe(secret);
    expect(readdirSync(dir).sort()).toEqual(["a", "b"]);
  });

  test("makes one in place of an empty file, which would let everybody in", () => {
    writeFileSync(join(dir, "a"), "");
    expect(make("a").secret).toMatch(/^[\da-f]{48}\n$/);
  });

  test("fails where it cannot keep one", () => {
    expect(() => make("missing/a")).toThrow(/missing/);
  });
});
