import { expect, test } from "vitest";
import { parse, parseDocument } from "yaml";
import { z } from "zod";
import { configSchema } from "../../src/config/schema.ts";
import { CONFIG_TEMPLATE } from "../../src/config/template.ts";

/** Keys that the template leaves out: the earlier daemon's, and inside of a list. */
const LEFT_OUT = [/^pool\.shared_projects_dir$/, /^pool\.dedicated\[\]/];

const node = z.object({ properties: z.record(z.string(), z.unknown()).optional(), items: z.unknown().optional() });

/** Every key that the schema knows, `a.b` below `a`, and `[]` for the elements of a list. */
function schemaKeys(schema: unknown, path = ""): string[] {
  const { properties, items } = node.parse(schema);
  if (items !== undefined) return [path, ...schemaKeys(items, `${path}[]`)];
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([key, below]) => schemaKeys(below, path === "" ? key : `${path}.${key}`));
}

function writtenKeys(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, below]) => writtenKeys(below, path === "" ? key : `${path}.${key}`));
}

const template: unknown = parse(CONFIG_TEMPLATE);

test("what `ccl-queue init` writes is YAML without a warning", () => {
  const { errors, warnings } = parseDocument(CONFIG_TEMPLATE);
  expect([...errors, ...warnings]).toEqual([]);
});

test("it shows the defaults: to leave its keys out means the same", () => {
  const defaults = configSchema.parse({ dispatcher: { projects_dir: "~/projects" } });
  expect(configSchema.parse(template)).toEqual(defaults);
});

test("it holds every key that the schema knows, and no other", () => {
  const keys = schemaKeys(z.toJSONSchema(configSchema, { io: "input" }))
    .map((key) => key.replace(/^(claude\.args|notify\.on)\[\]$/, "$1"))
    .filter((key) => !LEFT_OUT.some((pattern) => pattern.test(key)));
  expect(writtenKeys(template).sort()).toEqual([...new Set(keys)].sort());
});

test("it stays within 120 columns", () => {
  expect(CONFIG_TEMPLATE.split("\n").filter((line) => line.length > 120)).toEqual([]);
  expect(CONFIG_TEMPLATE.endsWith("\n")).toBe(true);
});
