import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { runId } from "../../src/core/id.ts";
import { PROVIDERS } from "../../src/core/route.ts";
import { PRIORITIES } from "../../src/core/task.ts";
import type { Secutools, Submission } from "../../src/workers/secutools/client.ts";
import { isIdempotencyKey, isJobId } from "../../src/workers/secutools/ids.ts";
import { retryAfterMs } from "../../src/workers/secutools/retry.ts";
import { acceptedJob, remoteJob } from "../../src/workers/secutools/wire.ts";
import { forAll } from "../helpers/hostile.ts";
import { type HostilePlatform, SUBMISSION, send } from "../helpers/hostile-platform.ts";
import { KEY, RETRY, useSecutools } from "../helpers/use-secutools.ts";

const { platform, client } = useSecutools();

const schemaShape = z.custom<z.core.JSONSchema.JSONSchema>((value) => typeof value === "object" && value !== null);
const named = z.object({ $ref: z.string().transform((path) => path.split("/").at(-1) ?? "") });
const content = z.record(z.string(), z.object({ schema: named }));
const operation = z.object({
  operationId: z.enum(["submitJob", "getJob", "cancelJob"]),
  parameters: z.array(named).default([]),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.union([named, z.object({ content })])),
});
const { info, paths, components } = z
  .object({
    info: z.object({ description: z.string() }),
    paths: z.record(
      z.string(),
      z.object({
        parameters: z.array(named).default([]),
        post: operation.optional(),
        get: operation.optional(),
        delete: operation.optional(),
      }),
    ),
    components: z.object({
      parameters: z.record(z.string(), z.object({ name: z.string(), in: z.string(), schema: schemaShape })),
      headers: z.object({ RetryAfter: z.object({ example: z.string() }) }),
      responses: z.record(z.string(), z.object({ content })),
      schemas: z.record(z.string(), schemaShape),
    }),
  })
  // Where zod looks for a schema that is referred to.
  .parse(
    parse(
      readFileSync(fileURLToPath(new URL("../../docs/secutools-api.yaml", import.meta.url)), "utf8").replaceAll(
        "#/components/schemas/",
        "#/$defs/",
      ),
    ),
  );
const { schemas, parameters } = components;

const operations = Object.entries(paths).flatMap(([path, { parameters: shared, ...item }]) =>
  Object.entries(item).flatMap(([method, each]) =>
    each === undefined
      ? []
      : [{ ...each, method: method.toUpperCase(), path, parameters: [...shared, ...each.parameters] }],
  ),
);
type Operation = (typeof operations)[number];

const problems = (schema: object, value: unknown) =>
  z
    .fromJSONSchema({ ...schema, $defs: schemas })
    .safeParse(value)
    .error?.issues.map(({ message }) => message) ?? [];

/** Everything in which a request is not as it is described. */
function differences({ method, path, headers, body }: HostilePlatform["requests"][number]): string[] {
  const found = operations.flatMap((each) => {
    const inPath = new RegExp(`^${each.path.replace(/\{(\w+)\}/, "(?<$1>[^/]*)")}$`).exec(path);
    return each.method === method && inPath !== null ? [{ ...each, inPath: inPath.groups ?? {} }] : [];
  });
  const [asked] = found;
  if (asked === undefined || found.length > 1) return [`${found.length} operations are ${method} ${path}`];
  const given = asked.parameters.flatMap(({ $ref }) => parameters[$ref] ?? []);
  const [type, expected] = Object.entries(asked.requestBody?.content ?? {})[0] ?? [];
  return [
    ...given.flatMap(({ name, in: where, schema }) =>
      problems(
        schema,
        where === "path" ? decodeURIComponent(asked.inPath[name] ?? "") : headers[name.toLowerCase()],
      ).map((problem) => `${name}: ${problem}`),
    ),
    ...(headers.authorization === `Bearer ${KEY}` ? [] : ["it does not show the key as a bearer"]),
    ...(headers["content-type"] === type ? [] : [`its body is ${headers["content-type"]}`]),
    ...(expected === undefined
      ? [body].filter((text) => text !== "")
      : problems({ $ref: `#/$defs/${expected.schema.$ref}` }, JSON.parse(body))),
  ];
}

describe("what the client sends is what is described", () => {
  const submissions: Submission[] = [
    SUBMISSION,
    ...PROVIDERS.map((provider) => ({ ...SUBMISSION, provider })),
    ...PRIORITIES.map((priority) => ({ ...SUBMISSION, priority })),
    { ...SUBMISSION, title: "", tags: [], metadata: { project: "", task: "" }, prompt: 'a "\\\n\0\u2028🙂' },
  ];
  const keys = ["!", "~".repeat(255), runId("zhw7zu9vgb", 1)];

  test("to submit", async () => {
    const server = await platform((response) => send(response, 201, { id: "j1", status: "queued" }));
    const one = client(server.url);
    for (const submission of submissions) await one.submitJob(submission, "k");
    for (const key of keys) await one.submitJob(SUBMISSION, key);
    expect(server.requests.map(differences)).toEqual([...submissions, ...keys].map(() => []));
  });

  test.each(["a", "A.b_c:d-9", "...", "x".repeat(128)])("to ask and to cancel, for %s", async (id) => {
    const server = await platform((response) => send(response, 200, { id, status: "running" }));
    const one = client(server.url);
    await one.getJob(id);
    await one.cancelJob(id);
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "DELETE"]);
    expect(server.requests.map(differences)).toEqual([[], []]);
  });

  test("and what is not would be found", async () => {
    const server = await platform((response) => send(response, 201, { id: "j1", status: "queued" }));
    await client(server.url).submitJob(SUBMISSION, "k");
    const [fine] = server.requests;
    if (fine === undefined) throw new Error("nothing was sent");
    const { headers } = fine;
    const wrong = [
      { ...fine, path: "/api/v2/jobs" },
      { ...fine, method: "PUT" },
      { ...fine, headers: { ...headers, "idempotency-key": "two words" } },
      { ...fine, headers: { ...headers, "content-type": "text/plain" } },
      { ...fine, headers: { ...headers, authorization: KEY } },
      { ...fine, body: JSON.stringify({ ...SUBMISSION, model: "m" }) },
      { ...fine, method: "GET", path: "/api/v1/jobs/a%2Fb" },
    ];
    for (const request of wrong) expect(differences(request)).not.toEqual([]);
  });
});

/** What a platform does with a request: it answers, hangs up or never answers. */
type Treatment = { readonly status: number; readonly body: unknown } | "hang up" | "silence";

const examplesOf = (response: Operation["responses"][string] | undefined): unknown[] => {
  const { content: described } =
    response === undefined || "content" in response
      ? (response ?? { content: {} })
      : (components.responses[response.$ref] ?? { content: {} });
  return Object.values(described).flatMap(({ schema }) => schemas[schema.$ref]?.examples ?? []);
};
/** The statuses that are described by themselves, and some that stand for a class of them. */
const statusesOf = ({ responses }: Operation, first: string, more: readonly number[]) => {
  const own = Object.keys(responses).filter((status) => status.startsWith(first) && !status.endsWith("XX"));
  return [...new Set([...own.map(Number), ...more])];
};
const answersOf = (each: Operation, status: number): Treatment[] => {
  const response = each.responses[status] ?? each.responses[`${String(status)[0]}XX`];
  return examplesOf(response).map((body) => ({ status, body }));
};
const isOther4xx = (status: number) => ![404, 408, 429].includes(status);

/** The rows of the description's table, and the answers that each is about. */
const ROWS: Readonly<Record<string, (each: Operation) => Treatment[]>> = {
  "none: refused or broken connection, timeout": () => ["hang up", "silence"],
  "2xx as described": (each) => statusesOf(each, "2", []).flatMap((status) => answersOf(each, status)),
  "any other 2xx": () => [200, 204, 299].map((status) => ({ status, body: status === 204 ? "" : "<p>" })),
  "3xx": () => [300, 301, 302, 303, 307, 308].map((status) => ({ status, body: "" })),
  "404": (each) => answersOf(each, 404),
  "408, 429, 5xx": (each) => [408, 429, 500, 502, 503, 504, 599].flatMap((status) => answersOf(each, status)),
  "any other 4xx": (each) =>
    statusesOf(each, "4", [403, 405, 410, 418, 451])
      .filter(isOther4xx)
      .flatMap((status) => answersOf(each, status)),
};

type End =
  | { readonly requests: number; readonly value: unknown }
  | { readonly requests: number; readonly code: string };

/** What the words of the table mean. */
const WORDS: Readonly<Record<string, (status: number, value: () => unknown) => End>> = {
  "goes on": (_status, value) => ({ requests: 1, value: value() }),
  "goes on: the status says enough": () => ({ requests: 1, value: true }),
  "the job is lost": () => ({ requests: 1, value: null }),
  "there is nothing to cancel": () => ({ requests: 1, value: false }),
  "tries again": () => ({ requests: RETRY.attempts, code: "SECUTOOLS_UNREACHABLE" }),
  "leaves it to the next poll": () => ({ requests: 1, code: "SECUTOOLS_UNREACHABLE" }),
  "tries again with the same key, then gives up": () => ({ requests: RETRY.attempts, code: "SECUTOOLS_BAD_ANSWER" }),
  "gives up": (status) => ({ requests: 1, code: status < 400 ? "SECUTOOLS_BAD_ANSWER" : "SECUTOOLS_REFUSED" }),
};

const [[, ...columns] = [], , ...table] = info.description
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const cells = table.flatMap(([answer = "", ...words]) =>
  columns.map((operationId, index) => ({ answer, operationId, words: words[index] ?? "" })),
);

const wireJob = z.object({
  ...{ id: z.string(), status: z.string(), provider: z.string(), model: z.unknown(), result: z.unknown() },
  ...{ error: z.unknown(), cost_usd: z.unknown(), created_at: z.unknown(), finished_at: z.unknown() },
  usage: z.object({ input_tokens: z.number(), output_tokens: z.number() }).nullable(),
});

/** What the client makes of an answer as it is described. */
function madeOf({ operationId }: Operation, body: unknown): unknown {
  if (operationId === "submitJob") return body;
  if (operationId === "cancelJob") return true;
  const { cost_usd, created_at, finished_at, usage, ...same } = wireJob.parse(body);
  const tokens = usage && { input: usage.input_tokens, output: usage.output_tokens };
  return { ...same, costUsd: cost_usd, createdAt: created_at, finishedAt: finished_at, usage: tokens };
}

const calls = {
  submitJob: async (one: Secutools) => await one.submitJob(SUBMISSION, "k"),
  getJob: async (one: Secutools, id: string) => await one.getJob(id),
  cancelJob: async (one: Secutools, id: string) => await one.cancelJob(id),
};

/** How a call ends that the platform treats so, each time. */
async function endOf({ operationId }: Operation, treatment: Treatment): Promise<End> {
  const server = await platform((response) => {
    if (treatment === "hang up") response.destroy();
    else if (treatment !== "silence") send(response, treatment.status, treatment.body);
  });
  const one = client(server.url, { timeoutMs: treatment === "silence" ? 50 : 5_000 });
  const { id } = z
    .object({ id: z.string().catch("j1") })
    .catch({ id: "j1" })
    .parse(bodyOf(treatment));
  const end = await calls[operationId](one, id).then(
    (value: unknown) => ({ value }),
    (error: unknown) => z.object({ code: z.string() }).parse(error),
  );
  expect(new Set(server.requests.map(({ headers, body }) => `${headers["idempotency-key"]} ${body}`)).size).toBe(1);
  return { requests: server.requests.length, ...end };
}

const bodyOf = (treatment: Treatment) => (typeof treatment === "string" ? null : treatment.body);
const statusOf = (treatment: Treatment) => (typeof treatment === "string" ? 0 : treatment.status);

describe("what the client does is what its table says", () => {
  test("which is about every operation, and about nothing that is not tried here", () => {
    expect(columns).toEqual(operations.map(({ operationId }) => operationId));
    expect(table.map(([answer]) => answer).toSorted()).toEqual(Object.keys(ROWS).toSorted());
  });

  test.each(cells)("$operationId, $answer: $words", async ({ answer, operationId, words }) => {
    const each = operations.find((candidate) => candidate.operationId === operationId);
    if (each === undefined) throw new Error(`there is no ${operationId}`);
    const treatments = ROWS[answer]?.(each) ?? [];
    expect(treatments.length).toBeGreaterThan(0);
    const ends = await Promise.all(treatments.map((treatment) => endOf(each, treatment)));
    expect(ends).toEqual(
      treatments.map((treatment) => WORDS[words]?.(statusOf(treatment), () => madeOf(each, bodyOf(treatment)))),
    );
  });

  test.each(operations)("for every answer that $operationId may have", (each) => {
    const tried = new Set(
      Object.values(ROWS).flatMap((row) => row(each).map((treatment) => String(statusOf(treatment)))),
    );
    const untried = Object.keys(each.responses).filter(
      (status) => !tried.has(status) && ![...tried].some((other) => other[0] === status[0] && status.endsWith("XX")),
    );
    expect(untried).toEqual([]);
  });

  test("and it comes back when it is told to", () => {
    expect(retryAfterMs(components.headers.RetryAfter.example, Date.now())).toBe(2_000);
  });
});

describe("what is described is what the client takes", () => {
  const pattern = (schema: { pattern?: unknown } | undefined) => new RegExp(z.string().parse(schema?.pattern));
  const jobId = pattern(schemas["JobId"]);
  const key = pattern(parameters["IdempotencyKey"]?.schema);
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: fc.constantFrom(..."aZ09._:-"), maxLength: 140 }),
    fc.string({ unit: fc.constantFrom(..."!~ a\n\u007f"), maxLength: 3 }),
    fc.constantFrom(
      ..."ab".split("").flatMap((letter) => [127, 128, 129, 255, 256].map((length) => letter.repeat(length))),
    ),
  );

  forAll("as an id and as a key", text, (given) => {
    expect(isJobId(given)).toBe(jobId.test(given));
    expect(isIdempotencyKey(given)).toBe(key.test(given));
  });

  test("as a status", () => {
    expect(schemas["Status"]?.enum).toEqual(acceptedJob.shape.status.options);
  });

  test.each(Object.entries({ Accepted: acceptedJob.shape, Job: remoteJob.in.shape, Submission: SUBMISSION }))(
    "as the fields of %s",
    (name, fields) => {
      expect(Object.keys(schemas[name]?.properties ?? {})).toEqual(Object.keys(fields));
    },
  );

  test("as a provider and as a priority", () => {
    const { provider, priority } = z
      .object({ provider: z.object({ enum: z.array(z.string()) }), priority: z.object({ enum: z.array(z.string()) }) })
      .parse(schemas["Submission"]?.properties);
    expect(provider.enum.toSorted()).toEqual(PROVIDERS.toSorted());
    expect(priority.enum.toSorted()).toEqual(PRIORITIES.toSorted());
  });
});
