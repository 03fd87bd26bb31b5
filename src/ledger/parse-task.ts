import { inspect } from "node:util";
import { z } from "zod";
import { parseDurationMs } from "../core/duration.ts";
import { type EarlierRuns, parseRunId } from "../core/id.ts";
import { oneLine } from "../core/one-line.ts";
import { COMPLEXITIES, PREFERRED_AI, PRIORITIES, type Priority, type TaskHeader } from "../core/task.ts";
import { readFooter, stripFooter } from "./footer.ts";
import { splitFrontmatter } from "./frontmatter.ts";

/** The largest task file that is taken, in bytes. */
export const MAX_TASK_BYTES = 1024 * 1024;

/** How much of a key or a value that we do not know is shown, in characters. */
const MAX_SHOWN = 80;
/** How long a reason may be, in characters. */
const MAX_REASON = 300;

/** A task file's content: its header, the prompt, and what to warn about; or the reason why it cannot be run. */
export type ParsedTask =
  | {
      readonly ok: true;
      readonly header: TaskHeader;
      readonly prompt: string;
      readonly warnings: readonly string[];
      /** The task's id and how many runs it has had, where its file was put back after them. */
      readonly earlier: EarlierRuns | null;
    }
  | { readonly ok: false; readonly reason: string };

/** Reads a task file's bytes. Never throws. */
export function parseTask(bytes: Uint8Array): ParsedTask {
  if (bytes.length > MAX_TASK_BYTES) return rejected(`the file is larger than 1 MiB (${bytes.length} bytes)`);
  const text = decode(bytes);
  if (text === null) return rejected("the file is not UTF-8 text");
  // What an agent said in the footer is no fault of the task's.
  const task = stripFooter(text).replace(/^\uFEFF/, "");
  if (task.includes("\0")) return rejected("the file is binary: it holds a NUL byte");
  const parts = splitFrontmatter(task);
  if (!parts.ok) return rejected(`the frontmatter cannot be read: ${parts.reason}`);
  if (parts.body.trim() === "") return rejected("there is nothing to do: the text after the frontmatter is empty");
  const earlier = parseRunId(readFooter(text)?.rows.get("run") ?? "");
  return { ok: true, ...readHeader(parts.data ?? {}), prompt: parts.body, earlier };
}

/** The reason is read in the footer and in the log, and may quote the file. */
function rejected(reason: string): ParsedTask {
  return { ok: false, reason: oneLine(reason, MAX_REASON) };
}

function shown(text: string): string {
  return oneLine(text.slice(0, MAX_SHOWN));
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** A key of the header: what its value may be, and what stands for none and for one that we do not know. */
interface Key<T> {
  readonly schema: z.ZodType<T>;
  readonly expected: string;
  readonly absent: T;
  readonly unknown: T;
}

const word = z.union([z.string(), z.number()]).transform(String);
const words = z.union([z.array(word), word.transform((one) => [one])]);
const duration = z
  .string()
  .transform(parseDurationMs)
  .refine((ms) => ms === null || ms > 0)
  .pipe(z.number());
const trueOrFalse = { schema: z.boolean(), expected: "one of true, false" };

const KEYS = {
  title: key<string | null>({ schema: word, expected: "text", absent: null, unknown: null }),
  priority: key<Priority>({ ...oneOf(PRIORITIES), absent: "default", unknown: "default" }),
  tags: key<string[]>({ schema: words, expected: "a list of words", absent: [], unknown: [] }),
  needs_claude_code: key<TaskHeader["needsClaudeCode"]>({ ...trueOrFalse, absent: false, unknown: "unknown" }),
  preferred_ai: key<TaskHeader["preferredAi"]>({ ...oneOf(PREFERRED_AI), absent: "auto", unknown: "unknown" }),
  allow_delegation: key<TaskHeader["allowDelegation"]>({ ...trueOrFalse, absent: false, unknown: "unknown" }),
  complexity_hint: key<TaskHeader["complexityHint"]>({ ...oneOf(COMPLEXITIES), absent: "none", unknown: "unknown" }),
  timeout: key<number | null>({
    schema: duration,
    expected: "a duration such as 30m or 2h",
    absent: null,
    unknown: null,
  }),
};

function readHeader(data: unknown): { header: TaskHeader; warnings: string[] } {
  const given = new Map(Object.entries(data ?? {}).filter(([, value]) => value !== null));
  const warnings = [...given.keys()]
    .filter((name) => !Object.hasOwn(KEYS, name))
    .map((name) => `${shown(name)}: not a key that ccl-queue knows`);
  const read = <T>(name: keyof typeof KEYS, { schema, expected, absent, unknown }: Key<T>): T => {
    const value = given.get(name);
    if (value === undefined) return absent;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    warnings.push(`${name}: ${shown(inspect(value, { depth: 0 }))} is not ${expected}`);
    return unknown;
  };
  const header: TaskHeader = {
    title: read("title", KEYS.title),
    priority: read("priority", KEYS.priority),
    tags: read("tags", KEYS.tags),
    needsClaudeCode: read("needs_claude_code", KEYS.needs_claude_code),
    preferredAi: read("preferred_ai", KEYS.preferred_ai),
    allowDelegation: read("allow_delegation", KEYS.allow_delegation),
    complexityHint: read("complexity_hint", KEYS.complexity_hint),
    timeoutMs: read("timeout", KEYS.timeout),
  };
  return { header, warnings };
}

function key<T>(definition: Key<T>): Key<T> {
  return definition;
}

function oneOf<const T extends readonly string[]>(values: T) {
  return { schema: z.enum(values), expected: `one of ${values.join(", ")}` };
}
