import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidArgumentError, type Option } from "commander";
import { Registry } from "prom-client";
import { describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { SHELLS } from "../src/cli/completion/shells.ts";
import { ok } from "../src/cli/doctor/check.ts";
import { CHECKS } from "../src/cli/doctor/run-checks.ts";
import { EXIT } from "../src/cli/exit.ts";
import { createProgram } from "../src/cli/program.ts";
import { routingOf } from "../src/cli/route.ts";
import { loadConfig } from "../src/config/config.ts";
import { childEnvironment, readEnvironment, readTerminal } from "../src/config/environment.ts";
import { configSchema } from "../src/config/schema.ts";
import { delegationCounts, delegationStatusSchema } from "../src/control/delegation-status.ts";
import { hostView } from "../src/control/hosts.ts";
import { overview } from "../src/control/overview.ts";
import { repairSchema } from "../src/control/repair.ts";
import { screenView, sessionView } from "../src/control/session-view.ts";
import { statusSchema } from "../src/control/status.ts";
import { ROUTES, taskDetail, taskDraft, taskFilter, taskLog, taskPage, taskView } from "../src/control/task-view.ts";
import { ERROR_CODES, type ErrorCode, QueueError } from "../src/core/errors.ts";
import { runEnd } from "../src/core/outcome.ts";
import { PROVIDERS } from "../src/core/route.ts";
import { PRIORITIES, TASK_STATES } from "../src/core/task.ts";
import { parseTask } from "../src/ledger/parse-task.ts";
import { decide } from "../src/router/decide.ts";
import { createApi } from "../src/server/api.ts";
import { Attempts } from "../src/server/attempts.ts";
import { guard } from "../src/server/guard.ts";
import { createLogin } from "../src/server/login.ts";
import { RunMetrics } from "../src/server/metrics/run-metrics.ts";
import { StateMetrics } from "../src/server/metrics/state-metrics.ts";
import { runSettings } from "../src/workers/claude/settings.ts";
import { controlsThat, quietParts } from "./helpers/api-controls.ts";
import { environmentWith } from "./helpers/environment.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const list = (path: string) => readdirSync(join(ROOT, path), { recursive: true, encoding: "utf8" }).sort();

const PAGES = [...readdirSync(ROOT), ...list("docs").map((name) => join("docs", name))].filter((name) =>
  name.endsWith(".md"),
);
const manifest = z
  .object({
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read("package.json")));

/** The text below a heading, up to the next one of the same level or a higher one. */
function section(page: string, heading: string): string {
  const [, level = "", rest = ""] = new RegExp(`^(#+) ${heading}$([\\s\\S]*)`, "m").exec(read(page)) ?? [];
  if (level === "") throw new Error(`${page} has no heading "${heading}"`);
  return rest.split(new RegExp(`^#{1,${level.length}} `, "m"))[0] ?? "";
}

/** The cells of every table row below a header that begins with this cell. */
function rows(text: string, firstHeader: string): string[][] {
  const tables = text.split(/\n(?!\|)/).filter((block) => block.trimStart().startsWith(`| ${firstHeader} |`));
  const lines = tables.flatMap((table) => table.trim().split("\n").slice(2));
  return lines.map((line) => line.slice(1, -1).split(/(?<!\\)\|/)).map((cells) => cells.map((cell) => cell.trim()));
}

/** What stands in backticks. */
function codes(text: string | undefined): string[] {
  return [...(text ?? "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

const firstCodes = (text: string, firstHeader: string) => rows(text, firstHeader).flatMap(([cell]) => codes(cell));

const node = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  default: z.unknown().optional(),
});
interface Key {
  readonly name: string;
  readonly value: unknown;
}

/** Every key of a schema with its default, undefined where it has none. A list is a key, and so are those of its entries. */
function schemaKeys(schema: unknown, name = ""): Key[] {
  const { properties, items, default: value } = node.parse(schema);
  if (properties !== undefined)
    return Object.entries(properties).flatMap(([key, below]) =>
      schemaKeys(below, name === "" ? key : `${name}.${key}`),
    );
  const entries = items === undefined ? [] : schemaKeys(items, `${name}[]`).filter((key) => key.name !== `${name}[]`);
  return [{ name, value }, ...entries];
}

const byName = (a: Key, b: Key) => a.name.localeCompare(b.name);

describe("docs/configuration.md", () => {
  const page = "docs/configuration.md";
  const keys = schemaKeys(z.toJSONSchema(configSchema, { io: "input" }));
  const [readTable = "", withheldTable = "", agentTable = ""] = section(page, "Environment variables").split(
    /^(?=Not passed on|Everything else)/m,
  );

  test("has every key of the schema with its default, and no other", () => {
    const documented = rows(read(page), "key").map(([name, , value]): Key => {
      const [text] = codes(value);
      return { name: codes(name).join(), value: text === undefined ? undefined : parse(text) };
    });
    expect(documented.sort(byName), "the page (received) and the schema (expected)").toEqual(keys.sort(byName));
  });

  test("says `none` where there is no default, the type and one sentence about each key", () => {
    const odd = rows(read(page), "key").filter(
      ([, type = "", value = "", meaning = "", ...more]) =>
        type === "" || !/^(?:none|`[^`]+`)$/.test(value) || !/^[A-Z].*\.$/.test(meaning) || more.length > 0,
    );
    expect(odd).toEqual([]);
  });

  test("has no key that changes nothing", () => {
    const settable = keys.filter(({ name }) => !name.includes("[]"));
    expect(settable.filter(({ name }) => !hasEffect(name))).toEqual([]);
  });

  test("has the environment variables that are read, and no others", () => {
    expect(firstCodes(readTable, "variable").sort()).toEqual(variablesRead().sort());
  });

  test("has the variables that are not passed on, and no others", () => {
    const candidates = `${read(page)}${read("src/config/environment.ts")}`.matchAll(/\b[A-Z][A-Z_]{2,}\b/g);
    const names = [...new Set([...candidates].map(([name]) => name))];
    for (const name of names) vi.stubEnv(name, "set");
    const passedOn = childEnvironment();
    expect(firstCodes(withheldTable, "variable").sort()).toEqual(names.filter((name) => !(name in passedOn)).sort());
  });

  test("has the variables that the launch script sets or removes, and no others", () => {
    const lines = [...read("libexec/launch.sh").matchAll(/^(?:export|unset) (.+)$/gm)].map(([, names = ""]) => names);
    const changed = lines.flatMap((names) => names.split(" ").map((name) => name.replace(/=.*/, "")));
    expect(firstCodes(agentTable, "variable").sort()).toEqual(changed.sort());
  });
});

/** The names that the environment is asked for. */
function variablesRead(): string[] {
  const names = new Set<string>();
  const real = process.env;
  process.env = new Proxy(real, {
    get: (target, name) => {
      names.add(String(name));
      return target[String(name)];
    },
  });
  try {
    readEnvironment();
    readTerminal();
  } finally {
    process.env = real;
  }
  return [...names];
}

/** Whether another value of a key leads to another configuration. */
function hasEffect(name: string): boolean {
  const base = { dispatcher: { projects_dir: "/p" } };
  const other = ["7m", "x", "http://127.0.0.1:7", "gpu", "gemini", 9, 11, true, ["x"], ["done"], [{ project: "/q" }]]
    .map((value) => withKey(base, name.split("."), value))
    .filter((file) => configSchema.safeParse(file).success);
  if (other.length === 0) throw new Error(`no value was found that ${name} takes: add one`);
  const plain = loaded(base);
  return other.some((file) => loaded(file) !== plain);
}

/** The same value with another leaf below these keys. */
function withKey(value: object, [key = "", ...below]: readonly string[], leaf: unknown): object {
  const under: unknown = Object.entries(value).find(([name]) => name === key)?.[1];
  const next = typeof under === "object" && under !== null ? under : {};
  return { ...value, [key]: below.length === 0 ? leaf : withKey(next, below, leaf) };
}

/** What a configuration file comes to. */
function loaded(file: object): string {
  const dir = mkdtempSync(join(tmpdir(), "docs-"));
  try {
    writeFileSync(join(dir, "c.yaml"), JSON.stringify(file)); // which is YAML too
    return JSON.stringify(loadConfig(join(dir, "c.yaml"), environmentWith({ home: "/h" })));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe("docs/errors.md", () => {
  const sections = [...read("docs/errors.md").matchAll(/^### (\w+)\n\n(.+)\n\n(\S[^#]*)/gm)];

  test("has every error code with its meaning and what to do, and no other", () => {
    const documented = sections.map(([, code, meaning]) => `${code}: ${meaning}`);
    expect(documented.sort()).toEqual(
      Object.entries(ERROR_CODES)
        .map(([code, meaning]) => `${code}: ${meaning}`)
        .sort(),
    );
    expect(sections).toHaveLength(read("docs/errors.md").match(/^### /gm)?.length ?? 0);
  });

  test("says of those codes that nothing reports, and of no others, that they are not reported", () => {
    const unreported = sections.filter(([, , , advice]) => advice?.startsWith("Not reported by this version"));
    const silent = Object.keys(ERROR_CODES).filter((code) => !isReported(code));
    expect(unreported.map(([, code]) => code).sort()).toEqual(silent.sort());
  });
});

const OUTCOME = "core/outcome.ts";

/** Whether some file names the code or, for the end of a run, makes an end of the kind that bears it. */
function isReported(code: string): boolean {
  const sources = list("src").filter((name) => name.endsWith(".ts") && name !== "core/errors.ts");
  const text = sources.filter((name) => name !== OUTCOME).map((name) => read(join("src", name)));
  const kinds = [...read(join("src", OUTCOME)).matchAll(/case "([\w-]+)":\s*return \{\s*code: "(\w+)"/g)];
  const kind = kinds.find(([, , named]) => named === code)?.[1];
  return text.some((source) => source.includes(`"${code}"`) || (kind && source.includes(`{ kind: "${kind}"`)));
}

describe("docs/cli.md", () => {
  const page = "docs/cli.md";
  const verbs = createProgram().commands;
  const names = verbs.map((verb) => verb.name());

  test("has every verb, and no other", () => {
    const [listed = ""] = read(page).split(/^## /m);
    expect(rows(listed, "verb").map(([verb = ""]) => codes(linkText(verb)).join())).toEqual(names);
    const headings = [...read(page).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(["Names", "Output", "Exit codes", ...names]);
  });

  test.each(names)("has how %s is called, and each of its options", (name) => {
    const verb = verbs.find((each) => each.name() === name);
    const about = section(page, name);
    const called = [name, ...(verb?.aliases() ?? [])].join("|");
    expect(/^```\n(.+)\n```$/m.exec(about)?.[1]).toBe(`ccl-queue ${called} ${verb?.usage()}`);
    const shown = verb?.options.filter(({ hidden }) => !hidden);
    expect(firstCodes(about, "option")).toEqual(shown?.map(({ flags }) => flags));
  });

  test("says what each option takes: choices, limits, defaults", () => {
    const options = verbs.flatMap((verb) =>
      verb.options.map((option) => ({ about: section(page, verb.name()), option })),
    );
    for (const { about, option } of options.filter(({ option }) => !option.hidden)) {
      const [, what = ""] = rows(about, "option").find(([flags]) => codes(flags).join() === option.flags) ?? [];
      // Choices that need explaining have a table of their own.
      const table = firstCodes(about, option.name());
      if (option.argChoices) expect(table.length > 0 ? table : codes(what)).toEqual(option.argChoices);
      expect(/(\S+) unless given/.exec(what)?.[1], option.flags).toBe(option.defaultValue?.toString());
      expect(/\d+ to \d+/.exec(what)?.[0], option.flags).toBe(limitsOf(option));
    }
    expect(options.flatMap(({ option }) => option.argChoices ?? [])).toHaveLength(
      TASK_STATES.length + PRIORITIES.length + ROUTES.length,
    );
    expect(
      options.flatMap(({ option }) => limitsOf(option) ?? []),
      "add a new one here",
    ).toEqual(["1 to 10000"]);
  });

  test("has what an argument may be where there is a choice, or is where it is left out", () => {
    const told = verbs.flatMap((verb) =>
      verb.registeredArguments.flatMap(({ argChoices = [], defaultValue }) =>
        [...argChoices, ...(defaultValue === undefined ? [] : [String(defaultValue)])].map((value) => [
          verb.name(),
          value,
        ]),
      ),
    );
    expect(told).toHaveLength(1 + SHELLS.length);
    expect(told.filter(([verb = "", value = ""]) => !codes(section(page, verb)).includes(value))).toEqual([]);
  });

  test("has each exit code, and no other", () => {
    expect(firstCodes(section(page, "Exit codes"), "code")).toEqual(Object.values(EXIT).map(String));
  });

  test("has the states of a task, the checks of doctor and the shells", () => {
    expect(firstCodes(section(page, "list"), "state")).toEqual([...TASK_STATES]);
    expect(firstCodes(section(page, "doctor"), "check").toSorted()).toEqual(
      ["config", ...CHECKS.map(({ name }) => name)].toSorted(),
    );
    expect(firstCodes(section(page, "completion"), "shell").filter((code) => !code.includes(" "))).toEqual([...SHELLS]);
  });

  test("has each field of what route and doctor print as JSON", () => {
    const parsed = parseTask(Buffer.from("Do it."));
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(firstCodes(section(page, "route"), "field")).toEqual(Object.keys(routingOf(parsed.header, [], null)));
    expect(firstCodes(section(page, "doctor"), "field")).toEqual([
      "ok",
      ...Object.keys({ check: "", ...ok("well") }).map((field) => `checks[].${field}`),
      ...Object.keys(repairSchema.shape).map((field) => `repairs[].${field}`),
    ]);
  });

  test("has the verdicts, the worst first, and the states of a session", () => {
    const { verdict, sessions } = statusSchema.shape;
    expect(firstCodes(section(page, "status"), "verdict")).toEqual(verdict.options);
    expect(firstCodes(section(page, "status"), "state")).toEqual(sessions.element.shape.state.options);
  });

  test.each([
    ["status", "status"],
    ["status", "hosts"],
    ["sessions", "sessions"],
    ["list", "list"],
  ])("shows the columns that %s prints (src/cli/%s.ts)", (verb, file) => {
    const [, columns = ""] = /\[("[A-Z ]+"(?:,\s*"[A-Z ]+")+)\]/.exec(read(`src/cli/${file}.ts`)) ?? [];
    const printed = [...columns.matchAll(/"([^"]+)"/g)].map(([, column]) => column);
    const shown = section(page, verb)
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(printed.length).toBeGreaterThan(3);
    expect(shown).toContainEqual(printed);
  });
});

/** The limits of an option that takes a number, in the words with which it refuses any other. */
function limitsOf({ parseArg, argChoices }: Option): string | undefined {
  try {
    if (argChoices === undefined) parseArg?.("no number", undefined);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return /\d+ to \d+/.exec(error.message)?.[0];
    throw error;
  }
  return undefined;
}

describe("docs/http-api.md", () => {
  const page = "docs/http-api.md";

  test("has each route with who may use it, and no other", async () => {
    const { routes } = apiThatMeets(new Error("nobody asks"));
    const own = routes.filter(({ method }) => method !== "ALL");
    const names = [...new Set(own.map(({ method, path }) => `${method} ${path}`))];
    const served = await Promise.all(names.map(async (name) => [`\`${name}\``, await whoMay(name)]));
    expect(rows(section(page, "Routes"), "route").map(([route, who]) => [route, who])).toEqual(served);
  });

  test("has each route that the description for programs has, and pages besides", async () => {
    const answer = await askRight(apiThatMeets(new Error("nobody asks")), "/openapi.json");
    const { paths } = z
      .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(await answer.json());
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    const pages = ["GET /login", "POST /login", "POST /logout", "GET /openapi.json"];
    expect(firstCodes(section(page, "Routes"), "route").sort()).toEqual([...described, ...pages].sort());
  });

  test("has each parameter of a list, and each key of a new task", () => {
    expect(firstCodes(section(page, "Tasks"), "parameter")).toEqual(Object.keys(taskFilter.shape));
    expect(firstCodes(section(page, "Add"), "key").sort()).toEqual(Object.keys(taskDraft.shape).sort());
  });

  const OWN_FIELDS: [string, z.ZodType, RegExp][] = [
    ["Hosts", z.object({ hosts: z.array(hostView) }), /^hosts$|^hosts\[\]\.sessions\./],
    [
      "Overview",
      overview,
      /^(?:status|sessions\[\]|others\[\])\.(?!screen$)|^\w+\.tasks\[\]|^(?:waiting|delayed|delegated|finished)$/,
    ],
    ["Tasks", taskPage, /^tasks$/],
    ["Task", taskDetail, new RegExp(`^(?:timeline|(?:${Object.keys(taskView.shape).join("|")})(?:\\.\\w+)?)$`)],
    ["Log", taskLog, /^lines$/],
    ["Sessions", z.object({ ...screenView.shape, sessions: z.array(sessionView) }), /^sessions$|^sessions\[\]\.run\./],
  ];

  test.each(OWN_FIELDS)("has each field of its section %s, and no other", (heading, schema, elsewhere) => {
    const fields = new Set(fieldsOf(z.toJSONSchema(schema)).filter((field) => !elsewhere.test(field)));
    expect(firstCodes(section(page, heading), "field").sort()).toEqual([...fields].sort());
  });

  test("has each type of event", () => {
    const types = [...read("src/core/events.ts").matchAll(/readonly type: "(\w+)"/g)].map(([, type]) => type);
    expect(firstCodes(section(page, "Events"), "event")).toEqual(["task", "hold"]);
    const [, steps = ""] = /A task's steps are ([^.]+)\./.exec(section(page, "Events")) ?? [];
    expect(codes(steps)).toEqual(types);
  });

  test("has each field of a status, and no other", () => {
    const fields = fieldsOf(z.toJSONSchema(statusSchema)).map((field) => field.replace(/^queues\.\w+/, "queues.*"));
    const expected = new Set(fields.filter((field) => field !== "queues.*"));
    expect(firstCodes(section(page, "Status"), "field").sort()).toEqual([...expected].sort());
  });

  test("has each field of the jobs that are out, and no other", () => {
    const counts = fieldsOf(z.toJSONSchema(delegationCounts));
    const fields = fieldsOf(z.toJSONSchema(delegationStatusSchema));
    const own = fields.filter((field) => field !== "jobs" && !counts.includes(field));
    expect(firstCodes(section(page, "Delegated status"), "field").sort()).toEqual(own.sort());
  });

  test("has the status of each error, but for those of ours that come with 500", async () => {
    const documented = rows(section(page, "Errors"), "status").flatMap(([status, code]) =>
      codes(code).map((name) => `${status} ${name}`),
    );
    const [, status, code] = /writeHead\((\d+)[\s\S]*?ErrorCode = "(\w+)"/.exec(read("src/host.ts")) ?? [];
    const told = new Set([...(await refusals()), `${status} ${code}`]);
    expect(documented.sort()).toEqual([...told].filter((each) => !/^500 (?!INTERNAL_ERROR$)/.test(each)).sort());
  });
});

const answerNode = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});

/** Every field of an answer: `a`, `a.b` below it, and `a[].b` in the entries of a list. */
function fieldsOf(schema: unknown, name = ""): string[] {
  const { properties = {}, items, anyOf = [] } = answerNode.parse(schema);
  const below = Object.entries(properties).flatMap(([key, value]) => {
    const field = name === "" ? key : `${name}.${key}`;
    return [field, ...fieldsOf(value, field)];
  });
  const entries = items === undefined ? [] : fieldsOf(items, `${name}[]`);
  return [...below, ...entries, ...anyOf.flatMap((one) => fieldsOf(one, name))];
}

/** The API where every question meets this error. */
function apiThatMeets(error: Error, token: string | null = "right", more: { readonly readOnly?: boolean } = {}) {
  const attempts = new Attempts({ onLimited: () => {} });
  return createApi({
    ...quietParts(),
    ...more,
    controls: controlsThat({}, error),
    guard: guard({ host: "127.0.0.1", token, attempts }),
    login: createLogin({ token, attempts }),
    onError: () => {},
  });
}

/** Whether a route answers those who show no token. */
async function whoMay(name: string): Promise<string> {
  const [method = "", path = ""] = name.split(" ");
  const answer = await apiThatMeets(new QueueError("", { code: "TASK_UNKNOWN" })).request(
    `http://127.0.0.1:8420${path}`,
    { method, ...(name === "POST /login" ? { body: new URLSearchParams({ token: "right" }) } : {}) },
  );
  return answer.status === 401 ? "guarded" : "everyone";
}

async function askRight(
  api: ReturnType<typeof createApi>,
  path: string,
  question: RequestInit = {},
): Promise<Response> {
  const right = { host: "127.0.0.1:8420", authorization: "Bearer right" };
  return await api.request(`http://127.0.0.1:8420${path}`, { ...question, headers: { ...right, ...question.headers } });
}

/** Every refusal that the API can answer with, as status and code. */
async function refusals(): Promise<string[]> {
  const unforeseen = new Error("unforeseen");
  const foreseen = Object.keys(ERROR_CODES)
    .filter(isCode)
    .map((code) => new QueueError("foreseen", { code }));
  const tokenless = apiThatMeets(unforeseen, null);
  return await Promise.all([
    ...[unforeseen, ...foreseen].map(async (error) => await refusal(apiThatMeets(error))),
    refusal(apiThatMeets(unforeseen), { headers: { authorization: "Bearer wrong" } }),
    refusal(apiThatMeets(unforeseen), { headers: { origin: "http://evil.example" } }),
    refusal(apiThatMeets(unforeseen), {}, "/nowhere"),
    refusal(apiThatMeets(unforeseen), {}, "/api/tasks?limit=x"),
    refusal(apiThatMeets(unforeseen), { method: "DELETE" }),
    refusal(apiThatMeets(unforeseen), { method: "POST", headers: { "content-type": "text/plain" } }, "/api/hold"),
    refusal(apiThatMeets(unforeseen), { method: "POST", headers: { "content-length": "99999" } }, "/api/hold"),
    refusal(apiThatMeets(unforeseen, "right", { readOnly: true }), { method: "POST" }, "/api/hold"),
    refusal(tokenless, { headers: { host: "evil.example" } }),
    lastRefusal(apiThatMeets(unforeseen)),
  ]);
}

/** What is said to somebody who has shown eleven wrong tokens. */
async function lastRefusal(api: ReturnType<typeof createApi>): Promise<string> {
  for (let index = 0; index < 10; index += 1) await refusal(api, { headers: { authorization: `Bearer ${index}` } });
  return await refusal(api, { headers: { authorization: "Bearer wrong" } });
}

async function refusal(
  api: ReturnType<typeof createApi>,
  question: RequestInit = {},
  path = "/watchdog/status",
): Promise<string> {
  const answer = await askRight(api, path, question);
  const { status, code } = z.object({ status: z.number(), code: z.string() }).parse(await answer.json());
  expect(answer.status).toBe(status);
  return `${status} ${code}`;
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

describe("docs/metrics.md", () => {
  test("has each metric with its labels, and no other", () => {
    const registry = new Registry();
    for (const Part of [StateMetrics, RunMetrics]) new Part(registry);
    const own = z
      .array(z.object({ name: z.string(), labelNames: z.array(z.string()) }))
      .parse(registry.getMetricsAsArray())
      .map(({ name, labelNames }) => [name.replace("ccl_queue_", ""), ...labelNames]);
    expect(own.length).toBeGreaterThan(10);
    const documented = rows(read("docs/metrics.md"), "metric");
    expect(documented.map(([name, labels]) => [...codes(name), ...codes(labels)]).sort()).toEqual(own.sort());
    expect(documented.filter(([, labels = ""]) => !/^(?:none|`[^`]+`(?:, `[^`]+`)*)$/.test(labels))).toEqual([]);
  });
});

describe("docs/security.md", () => {
  const page = "docs/security.md";
  const tables = [
    ...rows(section(page, "What is refused"), "refused"),
    ...rows(section(page, "Threats"), "threat"),
    ...rows(section(page, "Secrets"), "a secret in"),
  ];
  const shown = tables.flatMap(([what = "", , tests]) =>
    [...(tests ?? "").matchAll(/`(\w+\/[\w-]+)`: ((?:`[^`]+`(?:, (?=`[^`/]+`(?:,|$)))?)+)/g)].map(
      ([, file = "", names]): [string, string, string[]] => [what, file, codes(names)],
    ),
  );

  test("shows each refusal, and what is done about each threat, by a test, or says that nothing is", () => {
    const proved = new Set(shown.map(([what]) => what));
    const unproved = tables.filter(([what = ""]) => !proved.has(what));
    expect(tables.length).toBeGreaterThan(40);
    expect(unproved.filter(([, done = ""]) => !/not protected|tmux keeps/.test(done))).toEqual([]);
    expect(rows(section(page, "What is refused"), "refused").filter((row) => unproved.includes(row))).toEqual([]);
  });

  test.each(shown)("%s: the tests in %s are there: %j", (_what, file, names) => {
    const text = read(`test/${file}.test.ts`);
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });
});

describe("docs/delegation.md", () => {
  const rules = rows(section("docs/delegation.md", "Who does a task"), "rule").map(
    ([rule = "", who = "", reason = ""]): [string, string, string] => [rule, who, codes(reason).join()],
  );

  test.each(rules)("%s leads to %s: %s", (rule, who, reason) => {
    const { secutools } = configSchema.parse({ dispatcher: { projects_dir: "/p" } });
    const given = codes(rule).filter((code) => code.includes(": "));
    const allows = given.some((line) => line.startsWith("allow_delegation")) ? [] : ["allow_delegation: true"];
    const task = parseTask(Buffer.from(["---", ...allows, ...given, "---", "Do it."].join("\n")));
    if (!task.ok) throw new Error(task.reason);
    const provider = codes(who).at(-1);
    expect(decide(task.header, rule.includes("no key") ? null : secutools)).toEqual(
      provider === undefined ? { route: "local", reason } : { route: "delegated", provider, reason },
    );
  });

  test("has every reason to keep a task local, in the order of the rules", () => {
    const reasons = [...read("src/router/decide.ts").matchAll(/return local\("(.+)"\)/g)].map(([, reason]) => reason);
    expect(rules.filter(([, who]) => who === "local pool").map(([, , reason]) => reason)).toEqual(reasons);
  });

  test("has every provider, asked for by name and by each hint", () => {
    const { secutools } = configSchema.parse({ dispatcher: { projects_dir: "/p" } });
    const expected = [
      ...PROVIDERS.map((provider) => `\`${provider}\``),
      ...Object.entries(secutools.auto).map(([hint, provider]) => `\`secutools.auto.${hint}\`: \`${provider}\``),
    ];
    expect(rules.map(([, who]) => who).filter((who) => who !== "local pool")).toEqual(expected);
  });
});

describe("docs/dependencies.md", () => {
  test.each([
    ["At run time", manifest.dependencies],
    ["For development", manifest.devDependencies],
  ])("has a line for each package below %j, and no other", (heading, packages) => {
    const lines = rows(section("docs/dependencies.md", heading), "package");
    expect(lines.flatMap(([name]) => codes(name)).sort()).toEqual(Object.keys(packages).sort());
    expect(lines.filter(([, why = "", without = ""]) => why === "" || without === "")).toEqual([]);
  });
});

describe("docs/claude-code.md", () => {
  const [, tuple = ""] = /VERSIONS = \[([^\]]*)\]/.exec(read("scripts/setup/claude.js")) ?? [];
  const versions = [...tuple.matchAll(/"([\d.]+)"/g)].map(([, version = ""]) => version);

  test("has the versions that are tested, the newest first, and the README has the oldest", () => {
    const [tested = ""] = section("docs/claude-code.md", "Tested versions").split(". ");
    expect(tested.match(/\d+\.\d+\.\d+/g)).toEqual(versions);
    expect(section("README.md", "Requirements")).toContain(`Claude Code ${versions.at(-1)} or later`);
    const [, refused = ""] = /OLDEST = \[([^\]]*)\]/.exec(read("src/workers/claude/version.ts")) ?? [];
    expect(refused.split(", ").join(".")).toBe(versions.at(-1));
  });

  test("has each hook that is set, and no other", () => {
    const { hooks } = z.object({ hooks: z.record(z.string(), z.unknown()) }).parse(runSettings());
    const table = rows(section("docs/claude-code.md", "What is observed"), "signal").map(([signal]) => signal ?? "");
    expect(
      table
        .filter((signal) => signal.endsWith(" hook"))
        .flatMap(codes)
        .sort(),
    ).toEqual(Object.keys(hooks).sort());
  });
});

describe("ARCHITECTURE.md", () => {
  const map = firstCodes(section("ARCHITECTURE.md", "Package map"), "path");
  const changes = rows(section("ARCHITECTURE.md", "Where do I change…"), "to change");
  const steps = ["The way of a task", "The way of a delegated task", "Asking the daemon"].flatMap((heading) =>
    codes(section("ARCHITECTURE.md", heading)).filter((code) => code.endsWith(".ts")),
  );

  test.each([...map, ...changes.flatMap(([, paths]) => codes(paths)), ...steps.map((path) => join("src", path))])(
    "speaks of %s, which exists",
    (path) => {
      expect(existsSync(join(ROOT, path))).toBe(true);
    },
  );

  test("maps every folder of src, and every file that lies in src itself", () => {
    const entries = readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true });
    const owned = entries
      .map((entry) => ({ entry, path: relative(ROOT, join(entry.parentPath, entry.name)) }))
      .filter(({ entry, path }) => entry.isDirectory() || dirname(path) === "src")
      .map(({ entry, path }) => (entry.isDirectory() ? `${path}/` : path));
    expect(map.filter((path) => path.startsWith("src/")).sort()).toEqual(owned.sort());
  });

  test("names at least one path for each change", () => {
    expect(changes).not.toEqual([]);
    expect(changes.filter(([, paths]) => codes(paths).length === 0)).toEqual([]);
  });
});

describe("docs/run-lifecycle.md", () => {
  const page = "docs/run-lifecycle.md";
  const cases = rows(section(page, "Cases"), "case");
  const proofs = cases.map(([what = "", , , proof = ""]): [string, string, string] => {
    const [, file = "", title = ""] = /^`([\w./-]+\.test\.ts)`: "(.+)"$/.exec(proof) ?? [];
    return [what, file, title];
  });

  test("says of each case how it is detected, what comes of it, and which test proves it", () => {
    expect(cases).not.toEqual([]);
    expect(cases.filter((cells) => cells.length !== 4 || cells.includes(""))).toEqual([]);
  });

  test.each(proofs)("%s is proved by a test of %s: %s", (_what, file, title) => {
    const source = read(join("test", file));
    const filledIn = titlesIn(source).flatMap((pattern) => {
      const match = pattern.exec(title);
      return match === null ? [] : [match.slice(1)];
    });
    expect(filledIn).toHaveLength(1);
    // What fills a gap stands in the same file.
    for (const words of filledIn.flat()) expect(source).toContain(words);
  });

  test("has each kind of end with its code, and no other", () => {
    const documented = rows(section(page, "Phases"), "end").map(([kind, , code = ""]) => `${kind} ${linkText(code)}`);
    expect(documented.sort()).toEqual(runEnd.options.map(({ shape }) => endRow(shape.kind.value)).sort());
  });

  test("has the errors of a login, and no others", () => {
    const errors = read("src/workers/claude/transition.ts").match(/LOGIN_ERRORS = \[([^\]]*)\]/)?.[1] ?? "";
    const [, knownBy] = rows(section(page, "Phases"), "end").find(([kind]) => kind === "unauthorised") ?? [];
    expect(codes(knownBy).sort()).toEqual([...errors.matchAll(/"(\w+)"/g)].map(([, name]) => name).sort());
  });

  test("has each phase, and no other", () => {
    const phases = [...read("src/workers/claude/phase.ts").matchAll(/readonly name: "(\w+)"/g)].map(([, name]) => name);
    expect(rows(section(page, "Phases"), "phase").map(([name]) => name)).toEqual(phases);
  });

  test("tells what a resumed agent is told", () => {
    const [, told = ""] = /GO_ON =\s*"(.+)"/.exec(read("src/workers/run/prepare.ts")) ?? [];
    expect(section(page, "Attempts")).toContain(`> ${told}\n`);
  });
});

/** A kind of end and its code, as the page's table has them. */
function endRow(kind: string): string {
  const [, code = "none"] =
    new RegExp(`case "${kind}":\\s*return \\{\\s*code: "(\\w+)"`).exec(read("src/core/outcome.ts")) ?? [];
  return `${kind} ${code}`;
}

const linkText = (cell: string) => cell.replace(/^\[(.+)\]\(.+\)$/, "$1");

/** What the titles of a test file match: one that is filled in from a table, any words in its gaps. */
function titlesIn(source: string): RegExp[] {
  const literals = [...source.matchAll(/(?:\btest|\))\(\s*(["`])((?:\\.|(?!\1).)+)\1,/g)].map(
    ([, , title = ""]) => title,
  );
  // A title of nothing but gaps would match everything.
  const named = literals.filter((title) => /[a-z]{4}/.test(title.replaceAll(GAP, "")));
  return named.map((title) => new RegExp(`^${title.split(GAP).map(escaped).join("(.+)")}$`));
}

const GAP = /%[sdifjoO]|\$\{[^}]*\}|\$[\w.]+/g;
const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

describe("docs/deploy.md", () => {
  const page = read("docs/deploy.md");
  const units = list("deploy");
  const unit = (name: string) => read(join("deploy", name));

  test("speaks of each unit, and of no other", () => {
    const named = [...page.matchAll(/[\w-]+\.service\b/g)].map(([name]) => name);
    expect([...new Set(named)].sort()).toEqual(units);
  });

  test("names the socket of the tmux unit, which is the same in each of its lines", () => {
    const sockets = [...unit("ccl-queue-tmux.service").matchAll(/tmux -L (\S+)/g)].map(([, socket]) => socket);
    const [, configured] = /`tmux: \{ socket_name: (\S+) \}`/.exec(page) ?? [];
    expect(new Set(sockets)).toEqual(new Set([configured]));
    expect(page).toContain(`tmux -L ${configured} attach`);
  });

  test("has the files that the units read their variables from", () => {
    const files = units.flatMap((name) =>
      [...unit(name).matchAll(/^EnvironmentFile=-%h\/(.+)$/gm)].map(([, file]) => `~/${file}`),
    );
    expect(
      rows(page, "file")
        .map(([file]) => codes(file).join())
        .sort(),
    ).toEqual(files.sort());
  });

  test("leaves the agents out of a restart of the daemon, and starts only what exists", () => {
    const daemon = unit("ccl-queue.service");
    expect(daemon).toMatch(/^KillMode=process$/m);
    expect(daemon).toMatch(/^Wants=ccl-queue-tmux\.service$/m);
    expect(daemon).not.toMatch(/^(?:Requires|BindsTo|PartOf)=/m);
    const [, verb, option] = /dist\/main\.js (\w+) (--\w+)/.exec(daemon) ?? [];
    const command = createProgram().commands.find((each) => each.name() === verb);
    expect(command?.options.map(({ long }) => long)).toContain(option);
  });
});

/** A page without its code, in which nothing is a link or a heading. */
function prose(page: string): string {
  return read(page)
    .replaceAll(/^```[\s\S]*?^```/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ""));
}

/** A page's code: what is fenced, and what stands in backticks. */
function codeOf(page: string): string {
  const fenced = read(page).match(/^```[\s\S]*?^```/gm) ?? [];
  return [...fenced, ...codes(read(page).replaceAll(/^```[\s\S]*?^```/gm, ""))].join("\n");
}

/** The anchors of a page, as GitHub makes them from its headings. */
function anchors(page: string): string[] {
  const headings = [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
    text
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
  return headings.map((slug, index) => {
    const before = headings.slice(0, index).filter((other) => other === slug).length;
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

describe("every page", () => {
  const links = PAGES.flatMap((page) =>
    [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]): [string, string] => [page, target]),
  );

  test.each(links.filter(([, target]) => !/^https?:/.test(target)))(
    "%s links to %s, which is there",
    (page, target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
      expect(file.startsWith("..")).toBe(false);
      expect(existsSync(join(ROOT, file))).toBe(true);
      expect(anchor === undefined || anchors(file).includes(anchor)).toBe(true);
    },
  );

  test.each(PAGES)("%s names only commands that exist", (page) => {
    // There, ccl-queue is a container's name first.
    const code = codeOf(page).replaceAll(/^.*\bdocker(?: compose)? .*$/gm, "");
    const scripts = [...code.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(([, a, b]) => a ?? b ?? "");
    const verbs = [...code.matchAll(/\bccl-queue ([a-z]+)/g)].map(([, verb = ""]) => verb);
    const known = createProgram().commands.map((command) => command.name());
    expect(scripts.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
    expect(verbs.filter((verb) => !known.includes(verb))).toEqual([]);
  });

  test("names all providers where it names more than one", () => {
    const provider = z.enum(PROVIDERS);
    const cells = PAGES.flatMap((page) =>
      prose(page)
        .split(/[|\n]/)
        .map((cell) => ({ page, cell })),
    );
    const lists = cells.map(({ page, cell }) => {
      const named = codes(cell).filter((code) => provider.safeParse(code).success);
      return { page, named, left: PROVIDERS.filter((one) => !named.includes(one)) };
    });
    const several = lists.filter(({ named }) => new Set(named).size > 1);
    expect(several.length).toBeGreaterThan(5);
    expect(several.filter(({ left }) => left.length > 0)).toEqual([]);
  });

  test("is in an index: the README's, or that of docs", () => {
    const indexed = links
      .filter(([page]) => page === "README.md" || page === "docs/README.md")
      .map(([page, target]) => relative(ROOT, resolve(ROOT, dirname(page), target.split("#")[0] ?? "")));
    expect(PAGES.filter((page) => page !== "README.md" && !indexed.includes(page))).toEqual([]);
  });
});
