import { formatDuration } from "../../core/duration.ts";

/** What tells people nothing. */
const HIDDEN = ["fingerprint", "promptHash"];
const NEVER_SHOWN: readonly unknown[] = [null, undefined, "unknown"];

/** A job's data or result for people: times and amounts in words, and nothing that is empty or for machines only. */
export function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, it]) => {
    if (HIDDEN.includes(key) || NEVER_SHOWN.includes(it) || (Array.isArray(it) && it.length === 0)) return [];
    return [readableEntry(key, it)];
  });
  return Object.fromEntries(entries);
}

/** The same for a task: what its file's header says stands beside the rest. */
export function readableTask(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("header" in value)) return readable(value);
  const { header, ...rest } = value;
  return typeof header === "object" && header !== null ? readable({ ...rest, ...header }) : readable(value);
}

/** The unit stands in the name: `startedAtMs`, `timeoutMs`, `costUsd`. */
function readableEntry(key: string, value: unknown): [string, unknown] {
  if (typeof value !== "number") return [key, readable(value)];
  if (key.endsWith("AtMs") && Math.abs(value) < 8.64e15) return [key.slice(0, -2), new Date(value).toISOString()];
  if (key.endsWith("Ms")) return [key.slice(0, -2), formatDuration(value)];
  if (key.endsWith("Usd")) return [key.slice(0, -3), `$${value.toFixed(4)}`];
  return [key, value];
}
