import { z } from "zod";
import { isJobId } from "./ids.ts";

/** A result of another kind than text is shown as JSON: with indentation up to this size, in characters. */
const MAX_INDENTED = 1024 * 1024;
/** Deeper values are refused: to write them takes the stack, and to indent them the memory. */
const MAX_DEPTH = 32;

const remoteStatus = z.enum(["queued", "running", "completed", "failed", "cancelled"]);
/** How a job stands. */
export type RemoteStatus = z.infer<typeof remoteStatus>;

const jobId = z.string().refine(isJobId, "not an id of a job");
/** What is more is no figure, but nonsense that would stand in the metrics for good. */
const cost = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const tokens = z.int().min(0);

/** The answer to a submission. */
export const acceptedJob = z.object({ id: jobId, status: remoteStatus });

/** The answer to a question about a job. What the platform leaves out is null. */
export const remoteJob = z
  .object({
    id: jobId,
    status: remoteStatus,
    provider: optional(z.string()),
    model: optional(z.string()),
    result: z
      .unknown()
      .optional()
      .refine((value) => !isDeeper(value, MAX_DEPTH), `nested deeper than ${MAX_DEPTH} levels`)
      .transform(asText),
    error: optional(z.object({ code: z.string(), message: z.string() })),
    cost_usd: optional(cost),
    usage: optional(
      z
        .object({ input_tokens: tokens, output_tokens: tokens })
        .transform(({ input_tokens, output_tokens }) => ({ input: input_tokens, output: output_tokens })),
    ),
    created_at: optional(z.string()),
    finished_at: optional(z.string()),
  })
  .transform(({ cost_usd, created_at, finished_at, ...same }) => ({
    ...same,
    costUsd: cost_usd,
    createdAt: created_at,
    finishedAt: finished_at,
  }));

/** What the platform says when it refuses. */
export const remoteError = z.object({
  error: z.object({ code: z.string().catch(""), message: z.string().catch("") }),
});

/** Whether nothing more will become of a job. */
export function isOver(status: RemoteStatus): boolean {
  return status !== "queued" && status !== "running";
}

function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? null);
}

function asText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  const text = JSON.stringify(value);
  return text.length > MAX_INDENTED ? text : JSON.stringify(value, null, 2);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
