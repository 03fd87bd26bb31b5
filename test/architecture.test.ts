import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { demoConfig } from "../src/config/demo-config.ts";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/**
 * The folders of src, in the order of the data flow, and what each may import besides itself. Arrows point towards
 * core. A file that lies in src itself is a folder of its own. A new folder needs a row.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ["core"],
  queue: ["core"],
  ledger: ["core"],
  router: ["core"],
  producers: ["core", "ledger", "queue"],
  workers: ["core", "config", "ledger", "queue", "router"],
  control: ["core", "config", "ledger", "queue", "producers", "workers"],
  server: ["core", "config", "control"],
  notify: ["core", "config", "queue"],
  "host.ts": ["core"],
  "app.ts": [
    "core",
    "config",
    "ledger",
    "queue",
    "router",
    "producers",
    "workers",
    "control",
    "server",
    "notify",
    "host.ts",
  ],
  cli: [
    ...["core", "config", "ledger", "queue", "router", "producers", "workers", "control", "server", "notify"],
    ...["host.ts", "app.ts"],
  ],
  "library.ts": ["core", "config", "control", "app.ts"],
  "main.ts": ["core", "cli"],
  "ccl-delegate.ts": ["core", "cli"],
};

/** The rooms of a layer that has several, and which others of its rooms each may import. A new room needs a row. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  "workers/claude": [],
  "workers/tmux": [],
  "workers/run": ["workers/claude", "workers/tmux"],
  "workers/secutools": [],
  "workers/delegation": ["workers/secutools"],
  "cli/completion": [],
  "server/dashboard": [],
  "server/bull-board": [],
  "server/metrics": [],
  "server/routes": [],
  "cli/delegate": [],
  "cli/doctor": [],
};

/** Packages with an owner: nobody else may import them. What is not listed here is free for all. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  bullmq: ["queue"],
  ioredis: ["queue"],
  "gray-matter": ["ledger"],
  chokidar: ["producers"],
  execa: ["workers", "notify", "ledger/open-files.ts"],
  commander: ["cli"],
  picocolors: ["cli"],
  pino: ["cli"],
  "pino-pretty": ["cli"],
  undici: ["workers", "notify"],
  hono: ["server", "app.ts"],
  "@hono/zod-openapi": ["server"],
  "@bull-board/api": ["server"],
  "@bull-board/hono": ["server"],
  "prom-client": ["server"],
  "@hono/node-server": ["app.ts"],
  "write-file-atomic": ["workers"],
};
const ENVIRONMENT = "config/environment.ts";
/** What other programs import, who cannot reach anything else. */
const LIBRARY = "library.ts";
/** Where pages are written. */
const MARKUP = "server/dashboard/";
const MAX_LINES = 250;

const COMMENT_OR_STRING = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`/g;
const SPECIFIERS = [
  /\b(?:import|export)\b(?:\s+type\b)?[\w\s{},*$]*?\bfrom\s*(["'])(?<name>[^"'\n]+)\1/g,
  /\bimport\s*(["'])(?<name>[^"'\n]+)\1/g,
  /\bimport\s*\(\s*(["'`])(?<name>[^"'`\n]+)\1/g,
  /\brequire\s*\(\s*(["'`])(?<name>[^"'`\n]+)\1/g,
];

/** What a file names as imported: by import and export … from, for types or values, by import() and by require(). */
function importsOf(code: string): string[] {
  const text = withoutComments(code);
  return SPECIFIERS.flatMap((pattern) => [...text.matchAll(pattern)].flatMap(({ groups }) => groups?.["name"] ?? []));
}

function withoutComments(code: string): string {
  return code.replace(COMMENT_OR_STRING, (token) => (token.startsWith("/") ? " " : token));
}

/** The names of everything in a configuration, however deep. */
function namesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  const own = Array.isArray(value) ? [] : entries.map(([name]) => name);
  return [...new Set([...own, ...entries.flatMap(([, part]) => namesIn(part))])];
}

/** The folder of src that a file belongs to, or the file itself where it lies in none. `file` is relative to src. */
function layerOf(file: string): string {
  return file.split(sep)[0] ?? file;
}

/** The room that a file lies in: the folder and its layer, or null for a file that lies in the layer itself. */
function roomOf(file: string): string | null {
  const parts = file.split(sep);
  return parts.length > 2 ? parts.slice(0, 2).join("/") : null;
}

/** The package behind a specifier: `a` of `a/b`, `@a/b` of `@a/b/c`; null for a file of ours and for Node's own. */
function packageOf(specifier: string): string | null {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return null;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Everything about one file that the house rules forbid. `file` is its path in src. */
function violationsOf(file: string, code: string): string[] {
  return [
    ...importsOf(code).flatMap((specifier) => layerViolation(file, specifier) ?? ownerViolation(file, specifier) ?? []),
    ...formViolations(file, code),
  ];
}

function layerViolation(file: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const target = relative(SRC, resolve(SRC, dirname(file), specifier));
  const [from, to] = [layerOf(file), layerOf(target)];
  if (to === "..") return `${file} imports ${specifier}, which is outside of src`;
  if (!/\.tsx?$/.test(specifier)) return `${file} imports ${specifier}, which has no .ts extension`;
  if (from === to) return roomViolation(file, target);
  return LAYERS[from]?.includes(to) ? null : `${file} imports ${target}: ${from} may not import ${to}`;
}

/** What a room shares with another lies in the layer itself, where both may import it. */
function roomViolation(file: string, target: string): string | null {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === null || to === null || from === to || ROOMS[from]?.includes(to)) return null;
  return `${file} imports ${target}: ${from} may not import ${to}`;
}

function ownerViolation(file: string, specifier: string): string | null {
  const owners = OWNERS[packageOf(specifier) ?? ""];
  if (owners === undefined) return null;
  return owners.includes(layerOf(file)) || owners.includes(file)
    ? null
    : `${file} imports ${specifier}: it is owned by ${owners}`;
}

function formViolations(file: string, code: string): string[] {
  const text = withoutComments(code);
  const rules: [string, boolean][] = [
    ["reads the environment", file !== ENVIRONMENT && readsEnvironment(text)],
    ["exports everything of another file", /\bexport\s*\*/.test(text)],
    [
      "re-exports: import it from where it lives",
      file !== LIBRARY && /\bexport\s+(?:type\s+)?\{[^}]*\}\s*from\b/.test(text),
    ],
    ["is a barrel by its name", /^index\.[cm]?tsx?$/.test(basename(file))],
    ["is not named in kebab-case", !/^[a-z0-9]+(?:-[a-z0-9]+)*\.tsx?$/.test(basename(file))],
    ["holds markup, which belongs to the dashboard", file.endsWith(".tsx") && !file.startsWith(MARKUP)],
    ["imports what it computes: nobody can check that", /\bimport\s*\(\s*(?!["'])/.test(text)],
    [`is longer than ${MAX_LINES} lines`, code.trimEnd().split("\n").length > MAX_LINES],
  ];
  return rules.flatMap(([what, isBroken]) => (isBroken ? [`${file} ${what}`] : []));
}

function readsEnvironment(text: string): boolean {
  return [
    /\bprocess\s*(?:\?\.|\.)\s*env\b/,
    /\bprocess\s*(?:\?\.)?\s*\[\s*["'`]env/,
    /\benv\b[^=;]*\}\s*=\s*(?:globalThis\s*\.\s*)?process\b/,
    /\bimport\b[^;"']*\benv\b[^;"']*\bfrom\s*["'](?:node:)?process["']/,
  ].some((pattern) => pattern.test(text));
}

/** Every file and package that a file imports, and what those import in turn. */
function reachOf(file: string, reached = new Set<string>()): Set<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  for (const specifier of importsOf(readFileSync(join(SRC, file), "utf8"))) {
    const name = packageOf(specifier);
    if (name !== null) reached.add(name);
    if (specifier.startsWith(".")) reachOf(relative(SRC, resolve(SRC, dirname(file), specifier)), reached);
  }
  return reached;
}

const entries = readdirSync(SRC, { recursive: true, withFileTypes: true });
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)))
  .sort();

describe("the house", () => {
  test("has the folders of the layer table, no other and no fewer", () => {
    expect([...new Set(files.map(layerOf))].sort()).toEqual(Object.keys(LAYERS).sort());
  });

  test("has rooms that are named in kebab-case, and none for odds and ends", () => {
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.filter((name) => !/^[a-z]+(?:-[a-z]+)*$/.test(name))).toEqual([]);
    expect(folders.filter((name) => /^(?:utils?|helpers?|common|shared|lib|misc|types)$/.test(name))).toEqual([]);
  });

  test("has the rooms of the room table, no other and no fewer", () => {
    expect([...new Set(files.flatMap((file) => roomOf(file) ?? []))].sort()).toEqual(Object.keys(ROOMS).sort());
  });

  test("reads every part of the configuration somewhere: one that is only loaded changes nothing", () => {
    const readers = files.filter((file) => layerOf(file) !== "config");
    const text = readers.map((file) => withoutComments(readFileSync(join(SRC, file), "utf8"))).join("\n");
    const parts = namesIn(demoConfig("/demo", null));
    expect(parts).toContain("sweepIntervalMs");
    expect(parts.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  test("holds TypeScript only", () => {
    expect(files.filter((file) => !/\.tsx?$/.test(file))).toEqual([]);
  });

  test.each(files)("src/%s keeps the rules", (file) => {
    expect(violationsOf(file, readFileSync(join(SRC, file), "utf8"))).toEqual([]);
  });
});

describe("the layer table", () => {
  test("has no way back: what a layer may import never imports that layer", () => {
    const reach = (layer: string): string[] => (LAYERS[layer] ?? []).flatMap((next) => [next, ...reach(next)]);
    expect(Object.keys(LAYERS).filter((layer) => reach(layer).includes(layer))).toEqual([]);
  });

  test.each(Object.entries(ROOMS))("has no way back between rooms: %s", (room, others) => {
    expect(others.filter((other) => !(other in ROOMS) || layerOf(other) !== layerOf(room))).toEqual([]);
    expect(others.filter((other) => ROOMS[other]?.includes(room))).toEqual([]);
  });

  test("names only layers that it has", () => {
    expect(Object.values(LAYERS).flat()).toEqual(
      Object.values(LAYERS)
        .flat()
        .filter((layer) => layer in LAYERS),
    );
  });

  test("keeps core pure, and the command line out of everything but the programs", () => {
    expect(LAYERS["core"]).toEqual([]);
    expect(Object.keys(LAYERS).filter((layer) => LAYERS[layer]?.includes("cli"))).toEqual([
      "main.ts",
      "ccl-delegate.ts",
    ]);
  });
});

test.each(Object.entries(OWNERS))("the owned package %s is imported by its owners %j", (name, owners) => {
  const users = files.filter((file) =>
    importsOf(readFileSync(join(SRC, file), "utf8"))
      .map(packageOf)
      .includes(name),
  );
  const owning = owners.filter((owner) => users.some((file) => file === owner || layerOf(file) === owner));
  expect(owning).toEqual(owners);
});

describe("Redis", () => {
  const REDIS = ["queue", "bullmq", "ioredis"];
  const reach = (program: string) => [...new Set([...reachOf(program)].map(layerOf))];

  test("is nothing that ccl-delegate could ask: no way leads there from it, and all do from ccl-queue", () => {
    expect(reachOf("ccl-delegate.ts")).toContain("workers/secutools/client.ts");
    expect(reach("ccl-delegate.ts").filter((layer) => REDIS.includes(layer))).toEqual([]);
    expect(reach("main.ts")).toEqual(expect.arrayContaining(REDIS));
  });
});

describe("the checker sees", () => {
  test.each([
    ['import { a } from "x";', ["x"]],
    ['import a from "x";', ["x"]],
    ['import * as a from "x";', ["x"]],
    ['import a, { type B, c as d } from "x";', ["x"]],
    ['import type { A } from "x";', ["x"]],
    ['import { type A } from "x";', ["x"]],
    ["import { a } from 'x';", ["x"]],
    ['import {\n  a,\n  b,\n} from "x";', ["x"]],
    ['import"x"', ["x"]],
    ['import "x";', ["x"]],
    ['import{a}from"x";import{b}from"y";', ["x", "y"]],
    ['import { a } from "x" with { type: "json" };', ["x"]],
    ['export { a } from "x";', ["x"]],
    ['export type { A } from "x";', ["x"]],
    ['export * from "x";', ["x"]],
    ['export * as a from "x";', ["x"]],
    ['const a = await import("x");', ["x"]],
    ['const load = async () => (await import(\n  "x"\n)).a();', ["x"]],
    ["import(`x`);", ["x"]],
    ['type A = import("x").A;', ["x"]],
    ['import a = require("x");', ["x"]],
    ['createRequire(import.meta.url)("y"); require("x");', ["x"]],
    ['/* note */ import /* of */ { a } from "x"; // from "y"', ["x"]],
  ])("the import in %j", (code, names) => {
    expect(importsOf(code)).toEqual(names);
  });

  test.each([
    '// import { a } from "x";',
    '/* import "x"; */',
    '/**\n * import("x")\n */',
    "const a = 'no // comment';",
    "import.meta.url;",
    'const from = "x";',
    'Array.from("x");',
    'export const from = (a: string) => a;\nfrom("x");',
  ])("no import in %j", (code) => {
    expect(importsOf(code)).toEqual([]);
  });

  test("imports behind a string that looks like a comment", () => {
    expect(importsOf('const url = "http://x";\nimport("y");\nconst glob = "/*";\nimport("z");')).toEqual(["y", "z"]);
  });

  test.each<[string, string, string]>([
    ["core/a.ts", 'import { b } from "../config/b.ts";', "core/a.ts imports config/b.ts: core may not import config"],
    [
      "core/a.ts",
      'import type { B } from "../ledger/b.ts";',
      "core/a.ts imports ledger/b.ts: core may not import ledger",
    ],
    ["core/a.ts", 'type B = import("../queue/b.ts").B;', "core/a.ts imports queue/b.ts: core may not import queue"],
    ["router/a.ts", 'await import("../queue/b.ts");', "router/a.ts imports queue/b.ts: router may not import queue"],
    ["ledger/a.ts", 'import "../queue/b.ts";', "ledger/a.ts imports queue/b.ts: ledger may not import queue"],
    [
      "queue/a.ts",
      'import { b } from "../ledger/b.ts";',
      "queue/a.ts imports ledger/b.ts: queue may not import ledger",
    ],
    [
      "producers/a.ts",
      'import "../workers/b.ts";',
      "producers/a.ts imports workers/b.ts: producers may not import workers",
    ],
    [
      "workers/c/a.ts",
      'import "../../producers/b.ts";',
      "workers/c/a.ts imports producers/b.ts: workers may not import producers",
    ],
    [
      "workers/claude/a.ts",
      'import "../run/b.ts";',
      "workers/claude/a.ts imports workers/run/b.ts: workers/claude may not import workers/run",
    ],
    [
      "workers/tmux/a.ts",
      'import type { B } from "../claude/b.ts";',
      "workers/tmux/a.ts imports workers/claude/b.ts: workers/tmux may not import workers/claude",
    ],
    [
      "workers/unlisted/a.ts",
      'import "../run/b.ts";',
      "workers/unlisted/a.ts imports workers/run/b.ts: workers/unlisted may not import workers/run",
    ],
    [
      "workers/secutools/a.ts",
      'import "../delegation/b.ts";',
      "workers/secutools/a.ts imports workers/delegation/b.ts: workers/secutools may not import workers/delegation",
    ],
    ["workers/a.ts", 'import "../cli/b.ts";', "workers/a.ts imports cli/b.ts: workers may not import cli"],
    ["workers/a.ts", 'import "../control/b.ts";', "workers/a.ts imports control/b.ts: workers may not import control"],
    ["control/a.ts", 'import "../server/b.ts";', "control/a.ts imports server/b.ts: control may not import server"],
    ["server/a.ts", 'import "../queue/b.ts";', "server/a.ts imports queue/b.ts: server may not import queue"],
    ["app.ts", 'import "./cli/b.ts";', "app.ts imports cli/b.ts: app.ts may not import cli"],
    ["host.ts", 'import "./config/b.ts";', "host.ts imports config/b.ts: host.ts may not import config"],
    ["workers/a.ts", 'import "../app.ts";', "workers/a.ts imports app.ts: workers may not import app.ts"],
    ["core/a.ts", 'import "../../scripts/b.ts";', "core/a.ts imports ../../scripts/b.ts, which is outside of src"],
    ["core/a.ts", 'import "./b.js";', "core/a.ts imports ./b.js, which has no .ts extension"],
    ["unlisted/a.ts", 'import "../core/b.ts";', "unlisted/a.ts imports core/b.ts: unlisted may not import core"],
    ["workers/a.ts", 'import { Queue } from "bullmq";', "workers/a.ts imports bullmq: it is owned by queue"],
    ["core/a.ts", 'import type { Redis } from "ioredis";', "core/a.ts imports ioredis: it is owned by queue"],
    ["cli/a.ts", 'import { Hono } from "hono/tiny";', "cli/a.ts imports hono/tiny: it is owned by server,app.ts"],
    ["server/a.ts", 'import "@hono/node-server";', "server/a.ts imports @hono/node-server: it is owned by app.ts"],
    ["queue/a.ts", 'import "ioredis/built/x.js";', ""],
    ["cli/a.ts", 'import "ioredis/built/x.js";', "cli/a.ts imports ioredis/built/x.js: it is owned by queue"],
    [
      "ledger/a.ts",
      'import { execa } from "execa";',
      "ledger/a.ts imports execa: it is owned by workers,notify,ledger/open-files.ts",
    ],
    ["core/a.ts", "const a = process.env.HOME;", "core/a.ts reads the environment"],
    ["core/a.ts", 'const a = process["env"];', "core/a.ts reads the environment"],
    ["cli/a.ts", "const { env } = process;", "cli/a.ts reads the environment"],
    ["cli/a.ts", 'import { env } from "node:process";', "cli/a.ts reads the environment"],
    ["core/a.ts", 'export * from "./b.ts";', "core/a.ts exports everything of another file"],
    ["core/a.ts", 'export * as b from "./b.ts";', "core/a.ts exports everything of another file"],
    ["core/a.ts", 'export { b } from "./b.ts";', "core/a.ts re-exports: import it from where it lives"],
    ["core/a.ts", 'export type { B } from "./b.ts";', "core/a.ts re-exports: import it from where it lives"],
    ["core/index.ts", "", "core/index.ts is a barrel by its name"],
    ["core/taskFile.ts", "", "core/taskFile.ts is not named in kebab-case"],
    ["core/task_file.ts", "", "core/task_file.ts is not named in kebab-case"],
    ["core/Task.ts", "", "core/Task.ts is not named in kebab-case"],
    ["cli/a.tsx", "", "cli/a.tsx holds markup, which belongs to the dashboard"],
    ["cli/a.ts", "await import(verb);", "cli/a.ts imports what it computes: nobody can check that"],
    ["core/a.ts", `${"\n".repeat(250)}x`, "core/a.ts is longer than 250 lines"],
  ])("in %s that %j is a violation: %s", (file, code, violation) => {
    expect(violationsOf(file, code)).toEqual(violation === "" ? [] : [violation]);
  });

  test.each<[string, string]>([
    ["core/a.ts", 'import { b } from "./b.ts";\nimport { join } from "node:path";'],
    ["config/a.ts", 'import { z } from "zod";\nimport { b } from "../core/b.ts";'],
    [ENVIRONMENT, "const a = process.env;"],
    ["ledger/open-files.ts", 'import { execa } from "execa";'],
    ["workers/claude/a.ts", 'import { execa } from "execa";\nimport b from "write-file-atomic";'],
    ["workers/run/a.ts", 'import "../claude/b.ts";\nimport "../tmux/b.ts";\nimport "./b.ts";\nimport "../b.ts";'],
    ["workers/a.ts", 'import "./run/b.ts";\nimport "./tmux/b.ts";\nimport "./claude/b.ts";'],
    ["cli/a.ts", 'import { App } from "../app.ts";\nimport pino from "pino";\n(await import("./b.ts")).b();'],
    ["core/a.ts", "// process.env is read elsewhere\nexport const a = 1;\nexport { a as b };"],
    ["server/dashboard/a.tsx", 'import { b } from "./b.tsx";\nimport { raw } from "hono/html";'],
    ["core/a.ts", `${"\n".repeat(249)}x\n`],
  ])("nothing wrong in %s with %j", (file, code) => {
    expect(violationsOf(file, code)).toEqual([]);
  });
});
