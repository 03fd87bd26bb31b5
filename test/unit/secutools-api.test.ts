import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { submissionSchema } from "../../demo/secutools/wire.js";
import { PROVIDERS } from "../../src/core/route.ts";

const FILE = fileURLToPath(new URL("../../docs/secutools-api.yaml", import.meta.url));
const text = readFileSync(FILE, "utf8");

const schemaShape = z.custom<z.core.JSONSchema.JSONSchema>((value) => typeof value === "object" && value !== null);
const reference = z.strictObject({ $ref: z.string() });
const content = z.strictObject({ "application/json": z.strictObject({ schema: reference }) });
const header = z.strictObject({
  required: z.boolean(),
  description: z.string(),
  schema: schemaShape,
  example: z.string(),
});
const response = z.strictObject({
  description: z.string().min(1),
  headers: z.record(z.string(), reference).optional(),
  content,
});
const parameter = z.strictObject({
  name: z.string(),
  in: z.enum(["path", "header"]),
  required: z.literal(true),
  description: z.string().optional(),
  schema: schemaShape,
  example: z.string().optional(),
});
const operation = z.strictObject({
  operationId: z.string(),
  tags: z.tuple([z.literal("jobs")]),
  summary: z.string().min(1),
  description: z.string().optional(),
  parameters: z.array(reference).optional(),
  requestBody: z.strictObject({ required: z.literal(true), content }).optional(),
  responses: z.record(z.string().regex(/^([1-5]\d\d|[45]XX)$/), z.union([reference, response])),
});
const pathItem = z.strictObject({
  parameters: z.array(reference).optional(),
  post: operation.optional(),
  get: operation.optional(),
  delete: operation.optional(),
});

/** As much of OpenAPI 3.1 as the description uses: an unknown field is a mistake. */
const document = z
  .strictObject({
    openapi: z.string().regex(/^3\.1\.\d+$/),
    info: z.strictObject({ title: z.string(), version: z.string(), summary: z.string(), description: z.string() }),
    servers: z.tuple([
      z.strictObject({
        url: z.literal("{SECUTOOLS_URL}"),
        description: z.string(),
        variables: z.strictObject({ SECUTOOLS_URL: z.strictObject({ default: z.url() }) }),
      }),
    ]),
    security: z.tuple([z.strictObject({ bearerAuth: z.array(z.string()).max(0) })]),
    tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
    paths: z.record(z.string().startsWith("/"), pathItem),
    components: z.strictObject({
      securitySchemes: z.strictObject({
        bearerAuth: z.strictObject({ type: z.literal("http"), scheme: z.literal("bearer"), description: z.string() }),
      }),
      parameters: z.record(z.string(), parameter),
      headers: z.record(z.string(), header),
      responses: z.record(z.string(), response),
      schemas: z.record(z.string(), schemaShape),
    }),
  })
  .parse(parse(text));

const { parameters, headers, responses, schemas, securitySchemes } = document.components;
const operations = Object.entries(document.paths).flatMap(([path, { parameters: shared = [], ...item }]) =>
  Object.entries(item).flatMap(([method, each]) => {
    if (each === undefined) return [];
    const given = [...shared, ...(each.parameters ?? [])].map(({ $ref }) => parameters[$ref.split("/").at(-1) ?? ""]);
    return [{ ...each, method, path, given }];
  }),
);

/** A schema that knows those it refers to, in the place where zod looks for them. */
const compiled = (schema: object) =>
  z.fromJSONSchema(
    JSON.parse(JSON.stringify({ ...schema, $defs: schemas }).replaceAll("#/components/schemas/", "#/$defs/")),
  );
const schemaNamed = (name: string) => compiled({ $ref: `#/components/schemas/${name}` });

describe("docs/secutools-api.yaml", () => {
  test("describes three operations", () => {
    expect(operations.map(({ operationId, method, path }) => [operationId, method, path])).toEqual([
      ["submitJob", "post", "/api/v1/jobs"],
      ["getJob", "get", "/api/v1/jobs/{id}"],
      ["cancelJob", "delete", "/api/v1/jobs/{id}"],
    ]);
  });

  test("refers to what is there, and has nothing that is not referred to", () => {
    const there = Object.entries({ parameters, headers, responses, schemas }).flatMap(([kind, entries]) =>
      Object.keys(entries).map((name) => `#/components/${kind}/${name}`),
    );
    const named = [...text.matchAll(/\$ref: "([^"]+)"/g)].map(([, target]) => target);
    expect(named).toHaveLength(text.match(/\$ref/g)?.length ?? 0);
    expect([...new Set(named)].sort()).toEqual(there.sort());
    expect(document.security.map((scheme) => Object.keys(scheme))).toEqual([Object.keys(securitySchemes)]);
  });

  test.each(operations)("asks for what $operationId needs", ({ path, given, requestBody }) => {
    const inPath = given.filter((each) => each?.in === "path").map((each) => `{${each?.name}}`);
    expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
    const inHeader = given.filter((each) => each?.in === "header").map((each) => each?.name);
    expect(inHeader).toEqual(requestBody === undefined ? [] : ["Idempotency-Key"]);
  });

  test.each([
    ["submitJob", ["200", "201", "202", "400", "409", "413", "422"]],
    ["getJob", ["200", "404"]],
    ["cancelJob", ["200", "404"]],
  ])("says what %s answers", (operationId, own) => {
    const each = operations.find((candidate) => candidate.operationId === operationId);
    expect(Object.keys(each?.responses ?? {}).sort()).toEqual([...own, "401", "408", "429", "4XX", "5XX"].sort());
  });

  test.each(Object.entries(schemas))("has examples of %s that are examples of it", (_name, schema) => {
    const { examples = [] } = schema;
    expect(examples.flatMap((example) => compiled(schema).safeParse(example).error ?? [])).toEqual([]);
  });

  test("speaks of null as OpenAPI 3.1 does", () => {
    expect(text).not.toMatch(/\bnullable:/);
    expect(text).not.toMatch(/type: null\b|, null\]/);
  });
});

describe("a job", () => {
  const job = {
    ...{ id: "job-1", status: "queued", provider: "gpu", model: null, result: null, error: null },
    ...{ cost_usd: null, usage: null, created_at: "2026-11-21T09:30:00Z", finished_at: null },
  };
  const verdict = (changes: object) => schemaNamed("Job").safeParse({ ...job, ...changes }).success;

  test.each([
    {},
    { status: "running", model: "m" },
    { status: "completed", result: "Done", cost_usd: 0, usage: { input_tokens: 1, output_tokens: 0 } },
    { status: "failed", error: { code: "x", message: "" }, finished_at: "2026-11-21T09:30:00.5+01:00" },
    { queue_position: 3 },
  ])("may be %j", (changes) => {
    expect(verdict(changes)).toBe(true);
  });

  test.each([
    { status: "paused" },
    { id: "../x" },
    { provider: null },
    { error: { code: "x" } },
    { error: "x" },
    { cost_usd: -1 },
    { usage: { input_tokens: 1.5, output_tokens: 0 } },
    { usage: { input_tokens: 1 } },
    { created_at: null },
    { finished_at: "yesterday" },
  ])("may not be %j", (changes) => {
    expect(verdict(changes)).toBe(false);
  });

  test.each(Object.keys(job))("has its %s, if only as null", (field) => {
    const others = Object.entries(job).filter(([name]) => name !== field);
    expect(schemaNamed("Job").safeParse(Object.fromEntries(others)).success).toBe(false);
  });

  test.each([
    ["a", true],
    ["A.b_c:d-9", true],
    ["...", true],
    [".x", true],
    ["x".repeat(128), true],
    ["x".repeat(129), false],
    ["", false],
    [".", false],
    ["..", false],
    ["a/b", false],
    ["a b", false],
    ["ü", false],
    ["a\n", false],
  ])("may be called %j: %s", (id, allowed) => {
    expect(schemaNamed("JobId").safeParse(id).success).toBe(allowed);
  });
});

describe("a submission", () => {
  const fine = {
    ...{ provider: "gpu", priority: "low", title: "", prompt: "x", tags: [] },
    metadata: { project: "p", task: "t" },
  };
  const changes: object[] = [
    {},
    ...[...PROVIDERS, "local", null].map((provider) => ({ provider })),
    ...["critical", "high", "default", "urgent", 1].map((priority) => ({ priority })),
    ...["T", null, 1].map((title) => ({ title })),
    ...["", " ", null].map((prompt) => ({ prompt })),
    ...[["a"], [1], "a", null].map((tags) => ({ tags })),
    ...[{ project: "", task: "" }, { project: "p" }, { task: "t" }, { ...fine.metadata, host: "h" }, null].map(
      (metadata) => ({
        metadata,
      }),
    ),
    ...Object.keys(fine).map((field) => ({ [field]: undefined })),
    { model: "m" },
  ];

  test("is the same to the stand-in as to the description", () => {
    expect(submissionSchema.shape.provider.options.toSorted()).toEqual(PROVIDERS.toSorted());
    const verdicts = changes.map((change) => {
      const body = JSON.parse(JSON.stringify({ ...fine, ...change }));
      return { body, stands: submissionSchema.safeParse(body).success };
    });
    expect(verdicts.filter(({ stands }) => stands)).toHaveLength(PROVIDERS.length + 8);
    expect(verdicts).toEqual(
      verdicts.map(({ body }) => ({ body, stands: schemaNamed("Submission").safeParse(body).success })),
    );
  });
});
