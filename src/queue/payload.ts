import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { QueueError } from "../core/errors.ts";
import { PROVIDERS } from "../core/route.ts";
import { COMPLEXITIES, PREFERRED_AI, PRIORITIES } from "../core/task.ts";

const unknown = z.literal("unknown");

/** What the queue knows of a task, in the job's data: where its file is and what its header says, never its prompt. */
export const taskPayload = z.object({
  project: z.string(),
  name: z.string(),
  /** Of the content that was read; see the ledger's fingerprint. */
  fingerprint: z.string(),
  /** The runs it had before it was last put into the inbox: their numbers are taken. */
  earlierRuns: z.int().min(0).default(0),
  header: z.object({
    title: z.string().nullable(),
    priority: z.enum(PRIORITIES),
    tags: z.array(z.string()).readonly(),
    needsClaudeCode: z.boolean().or(unknown),
    preferredAi: z.enum([...PREFERRED_AI, "unknown"]),
    allowDelegation: z.boolean().or(unknown),
    complexityHint: z.enum([...COMPLEXITIES, "none", "unknown"]),
    timeoutMs: z.number().nullable().default(null),
  }),
});
export type TaskPayload = z.infer<typeof taskPayload>;

/** What became of a task, kept with its job. Times in ms since the epoch, null = not known. */
export const ending = z.object({
  result: z.enum(["done", "failed", "cancelled"]),
  /** Where its file was finalised. */
  path: z.string().nullable().default(null),
  /** The session or the provider that did it. */
  by: z.string().nullable().default(null),
  spent: z
    .object({
      durationMs: z.number(),
      model: z.string().nullable(),
      tokens: z.object({ input: z.number(), output: z.number() }).nullable(),
      costUsd: z.number().nullable(),
    })
    .nullable()
    .default(null),
});
export type Ending = z.infer<typeof ending>;
export const cancelledEnding: Ending = { result: "cancelled", path: null, by: null, spent: null };

/** A routed task: the same, why it came where it is, and how many attempts it has used up there. */
const routedPayload = taskPayload.extend({
  reason: z.string(),
  attempts: z.int().min(0).default(0),
  /** Of a task that failed; one that is done has it as its result. */
  ending: ending.nullable().default(null),
});

/** A task for the local pool, and what its earlier runs left. */
export const localPayload = routedPayload.extend({
  /** The Claude session to go on with, and of which prompt it was. */
  resume: z.object({ session: z.string(), promptHash: z.string() }).nullable().default(null),
});
export type LocalPayload = z.infer<typeof localPayload>;

/** A task for secutools. */
export const delegatedPayload = routedPayload.extend({
  provider: z.enum(PROVIDERS),
  /** The platform's job, once it has taken the task. */
  remote: z.object({ id: z.string(), submittedAtMs: z.number() }).nullable().default(null),
});
export type DelegatedPayload = z.infer<typeof delegatedPayload>;

/** @throws {QueueError} PAYLOAD_INVALID */
export function readPayload<T>(schema: z.ZodType<T>, id: string, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new QueueError(`job ${id}: ${z.prettifyError(parsed.error)}`, {
    code: "PAYLOAD_INVALID",
    hint: "remove the job; the task file is untouched and is enqueued again by the next sweep",
  });
}

/** Whether an edit leaves a task's place in the queue and its route as they are. */
export function isSamePlace({ header: before }: TaskPayload, { header: after }: TaskPayload): boolean {
  const { title: _title, tags: _tags, timeoutMs: _timeoutMs, ...deciding } = after;
  return isDeepStrictEqual({ ...before, ...deciding }, before);
}
