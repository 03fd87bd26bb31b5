import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";

/** One problem of a configuration file in words: where it is, what is wrong, and what was probably meant. */
export function explainIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") return `${path.join(".") || "the file"}: ${issue.message}`;
  const known = keysAt(schema, path);
  return issue.keys.map((key) => `${[...path, key].join(".")}: unknown key${didYouMean(key, known)}`).join("; ");
}

function didYouMean(key: string, known: readonly string[]): string {
  if (known.length === 0) return "";
  const guess = closest(key, [...known]);
  return distance(key, guess) <= Math.max(2, key.length / 3)
    ? `, did you mean ${guess}?`
    : `; known: ${known.join(", ")}`;
}

/** The keys that the schema knows at a path, looking through defaults, refinements and array elements. */
function keysAt(schema: unknown, path: readonly string[]): string[] {
  const { shape, element, innerType } = partsOf(schema);
  if (innerType !== undefined) return keysAt(innerType, path);
  if (element !== undefined) return keysAt(element, path.slice(1));
  const [head, ...rest] = path;
  return head === undefined ? Object.keys(shape) : keysAt(shape[head], rest);
}

function partsOf(schema: unknown): { shape: Record<string, unknown>; element: unknown; innerType: unknown } {
  const definition = isRecord(schema) && isRecord(schema["def"]) ? schema["def"] : {};
  const shape = isRecord(definition["shape"]) ? definition["shape"] : {};
  return { shape, element: definition["element"], innerType: definition["innerType"] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
