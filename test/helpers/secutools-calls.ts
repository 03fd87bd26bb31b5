import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import type { Options } from "../../demo/secutools/options.js";
import { type StandIn, startSecutools } from "../../demo/secutools/server.js";

const API = fileURLToPath(new URL("../../docs/secutools-api.yaml", import.meta.url));
export const JOBS = "/api/v1/jobs";
export const START = Date.parse("2026-11-21T09:30:00Z");

/** Platforms for the tests of a file: their clock stands still unless a test turns it; their jobs take 1 s of it. */
export function stage() {
  const clock = { now: START };
  let platforms: StandIn[] = [];
  beforeEach(() => {
    clock.now = START;
    platforms = [];
  });
  afterEach(async () => {
    await Promise.all(platforms.map((platform) => platform.close()));
  });

  async function start(options: Options = {}): Promise<StandIn> {
    const platform = await startSecutools({ now: () => clock.now, delayMs: 1000, ...options });
    platforms.push(platform);
    return platform;
  }

  /** The job that a submission comes to once its time is over. */
  async function outcome(platform: StandIn, task: string | object): Promise<Answer> {
    const id = idOf(await submit(platform, task));
    clock.now += 1000;
    return await get(platform, id);
  }

  return { clock, start, outcome };
}

export const submission = (prompt = "Count the birds", more: object = {}) => ({
  provider: "gpu",
  priority: "default",
  title: "Birds",
  prompt,
  tags: ["field", "work"],
  metadata: { project: "/srv/birds", task: "count.md" },
  ...more,
});

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Null if the answer is not JSON. */
  readonly json: unknown;
}

interface Sent {
  readonly key?: string;
  readonly apiKey?: string | null;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream;
}

/** Asks, and takes any answer. Rejects if there is none. */
export async function ask(
  platform: StandIn,
  method: string,
  path: string,
  { key, apiKey, body }: Sent = {},
): Promise<Answer> {
  const headers = {
    ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey ?? platform.key}` }),
    ...(key === undefined ? {} : { "idempotency-key": key }),
  };
  const response = await fetch(`${platform.url}${path}`, { method, headers, ...(body && { body, duplex: "half" }) });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** Asks for what docs/secutools-api.yaml describes, and makes sure that it is what it gets. */
export async function call(platform: StandIn, method: string, path: string, sent?: Sent): Promise<Answer> {
  const answer = await ask(platform, method, path, sent);
  expect(differences(method, path, answer)).toEqual([]);
  return answer;
}

/** What a request was answered, or null if its connection ended without an answer. */
export async function answered(request: Promise<Answer>): Promise<Answer | null> {
  return await request.catch((error: unknown) => {
    if (error instanceof TypeError && error.message === "fetch failed") return null;
    throw error;
  });
}

export const bodyOf = (task: string | object) => JSON.stringify(typeof task === "string" ? submission(task) : task);
export const submit = (platform: StandIn, task: string | object = submission(), key = "job-1") =>
  call(platform, "POST", JOBS, { key, body: bodyOf(task) });
export const get = (platform: StandIn, id: string) => call(platform, "GET", `${JOBS}/${encodeURIComponent(id)}`);
export const cancel = (platform: StandIn, id: string) => call(platform, "DELETE", `${JOBS}/${encodeURIComponent(id)}`);

export const idOf = ({ json }: Answer) => z.object({ id: z.string() }).parse(json).id;
export const codeOf = ({ json }: Answer) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

const schemaShape = z.object({ $ref: z.string() });
const responseShape = z.object({
  headers: z.record(z.string(), z.unknown()).default({}),
  content: z.object({ "application/json": z.object({ schema: schemaShape }) }),
});
const referenceShape = z.object({ $ref: z.string().transform((path) => path.split("/").at(-1) ?? "") });
const operationShape = z.object({
  responses: z.record(z.string(), z.union([referenceShape, responseShape])),
});
const api = z
  .object({
    paths: z.record(
      z.string(),
      z.object({ post: operationShape, get: operationShape, delete: operationShape }).partial(),
    ),
    components: z.object({
      schemas: z.record(
        z.string(),
        z.custom<z.core.JSONSchema.JSONSchema>((value) => typeof value === "object" && value !== null),
      ),
      responses: z.record(z.string(), responseShape),
    }),
  })
  // Where zod looks for a schema that is referred to.
  .parse(parse(readFileSync(API, "utf8").replaceAll("#/components/schemas/", "#/$defs/")));

/** The schemas that were asked for so far. */
const schemas = new Map<string, z.ZodType>();

function schemaOf($ref: string): z.ZodType {
  const schema = schemas.get($ref) ?? z.fromJSONSchema({ $ref, $defs: api.components.schemas });
  schemas.set($ref, schema);
  return schema;
}

/** Everything in which an answer is not as docs/secutools-api.yaml describes it. */
export function differences(method: string, path: string, { status, headers, json }: Answer): string[] {
  const item = api.paths[path === JOBS ? JOBS : `${JOBS}/{id}`];
  const { responses } = { POST: item?.post, GET: item?.get, DELETE: item?.delete }[method] ?? { responses: {} };
  const described = responses[status] ?? responses[`${Math.floor(status / 100)}XX`];
  const response = described && "$ref" in described ? api.components.responses[described.$ref] : described;
  if (response === undefined) return [`${method} ${path} may not answer ${status}`];
  const { error } = schemaOf(response.content["application/json"].schema.$ref).safeParse(json);
  return [
    ...Object.keys(response.headers).flatMap((name) => (headers.has(name) ? [] : [`${name} is missing`])),
    ...(error === undefined ? [] : [z.prettifyError(error)]),
  ];
}

/** An answer to GET whose body is yet to be read. */
export const open = (platform: StandIn, id: string) =>
  fetch(`${platform.url}${JOBS}/${id}`, { headers: { authorization: `Bearer ${platform.key}` } });
