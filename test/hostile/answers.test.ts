import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { QueueError } from "../../src/core/errors.ts";
import { hiding } from "../../src/workers/secutools/hide.ts";
import { isIdempotencyKey, isJobId } from "../../src/workers/secutools/ids.ts";
import { jsonOf, outcomeOf } from "../../src/workers/secutools/outcome.ts";
import { retryAfterMs } from "../../src/workers/secutools/retry.ts";
import { acceptedJob, remoteJob } from "../../src/workers/secutools/wire.ts";
import { forAll, forAllInProportion } from "../helpers/hostile.ts";
import { json, jsonLike, piece, text } from "../helpers/hostile-inputs.ts";

const KEY = "s3cr3t-key";
const figure = z.number().min(0).max(Number.MAX_SAFE_INTEGER).nullable();
const words = z.string().nullable();
/** What the rest of the program relies on in a job of the platform's. */
const jobSchema = z.strictObject({
  id: z.string().regex(/^(?!\.\.?$)[A-Za-z0-9._:-]{1,128}$/),
  status: z.enum(["queued", "running", "completed", "failed", "cancelled"]),
  ...{ provider: words, model: words, result: words, createdAt: words, finishedAt: words },
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  costUsd: figure,
  usage: z.strictObject({ input: figure.unwrap(), output: figure.unwrap() }).nullable(),
});

const status = fc.constantFrom("queued", "running", "completed", "failed", "cancelled");
const jobs = jsonLike({
  id: fc.oneof(fc.constant("job-1"), fc.constantFrom("..", ".", "a/b", "%2e%2e", "x".repeat(129), "__proto__")),
  status,
  provider: text,
  model: text,
  result: json,
  error: fc.record({ code: text, message: text }),
  cost_usd: fc.double({ min: 0, max: 100, noNaN: true }),
  usage: fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat() }),
  created_at: text,
});
const refusals = jsonLike({ error: fc.record({ code: text, message: fc.constantFrom(KEY, `no ${KEY} here`, "no") }) });
const hide = hiding(KEY);
const job = { what: "tell how the job stands", read: jsonOf(remoteJob) };

describe("an answer of the platform's", () => {
  forAll("is a job that can be relied on, or its problem is said", jobs, (body) => {
    const reading = jsonOf(remoteJob)(body);
    if (reading.ok) expect(jobSchema.safeParse(reading.value).error).toBeUndefined();
    else expect(reading.problem).toMatch(/\S/);
  });

  forAll("to a submission is an id and a status, or none", jobs, (body) => {
    const reading = jsonOf(acceptedJob)(body);
    if (reading.ok) expect(Object.keys(reading.value)).toEqual(["id", "status"]);
    if (reading.ok) expect(isJobId(reading.value.id)).toBe(true);
  });

  const statuses = fc.oneof(
    fc.constantFrom(200, 204, 301, 401, 404, 429, 500, 503),
    fc.integer({ min: 100, max: 999 }),
  );
  forAll(
    "comes to a value or to an error on one line, without the key",
    fc.tuple(statuses, fc.oneof(jobs, refusals)),
    (given) => {
      const [code, body] = given;
      const outcome = outcomeOf({ kind: "answered", status: code, text: hide(body), retryAfterMs: 0 }, job);
      if (outcome.kind === "value") return;
      expect(outcome.error).toBeInstanceOf(QueueError);
      expect(outcome.error.message).toMatch(/^secutools did not [^\p{C}]{1,200}$/u);
      expect(outcome.error.message).not.toContain(KEY);
    },
  );

  forAll("is waited for as long as it asks, but never for ever", fc.oneof(text, fc.nat().map(String)), (header) => {
    const ms = retryAfterMs(header, Date.now());
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(ms).toBeLessThanOrEqual(300_000);
  });
});

const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

forAll(
  "a key is found in whatever way JSON writes it, and nothing else is",
  fc.tuple(visible, fc.array(fc.boolean()), fc.boolean()),
  ([key, byNumber, inCapitals]) => {
    const written = [...key].map((character, index) => {
      const number = inCapitals ? escaped(character).toUpperCase().replace("U", "u") : escaped(character);
      return byNumber[index] ? number : JSON.stringify(character).slice(1, -1);
    });
    expect(JSON.parse(`"${written.join("")}"`)).toBe(key);
    expect(hiding(key)(`"\t${written.join("")}\t"`)).toBe('"\t[key]\t"');
    expect(hiding(`${key}!`)(`"\t${written.join("")}\t"`)).toBe(`"\t${written.join("")}\t"`);
  },
);

forAll("an id cannot lead anywhere but to a job", text, (given) => {
  const isId = isJobId(given);
  const { pathname } = isId
    ? new URL(`http://platform/jobs/${encodeURIComponent(given)}`)
    : { pathname: `/jobs/${given}` };
  expect(pathname).toBe(`/jobs/${isId ? encodeURIComponent(given) : given}`);
  if (isIdempotencyKey(given)) expect(() => new Headers({ "idempotency-key": given })).not.toThrow();
});

test.each(["1e999", "-1", "1e300", "NaN", "1.7976931348623157e309"])("no figure is %s", (figure) => {
  for (const field of [`"cost_usd":${figure}`, `"usage":{"input_tokens":${figure},"output_tokens":1}`])
    expect(jsonOf(remoteJob)(`{"id":"a","status":"running",${field}}`).ok).toBe(false);
});

forAllInProportion("an answer is read in a time in proportion to it", piece, (given) =>
  jsonOf(remoteJob)(
    JSON.stringify({ id: "a", status: "failed", error: { code: given, message: given }, result: [given] }),
  ),
);
