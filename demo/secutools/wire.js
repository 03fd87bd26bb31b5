import { z } from "zod";

/**
 * The bodies of docs/secutools-api.yaml.
 * @typedef {z.infer<typeof submissionSchema>} Submission
 * @typedef {"queued" | "running" | "completed" | "failed" | "cancelled"} Status
 * @typedef {{
 *   id: string, status: Status, provider: Submission["provider"], model: string | null, result: string | null,
 *   error: { code: string, message: string } | null, cost_usd: number | null,
 *   usage: { input_tokens: number, output_tokens: number } | null, created_at: string, finished_at: string | null
 * }} WireJob
 */

const MAX_BODY_BYTES = 8 * 1024 * 1024;

export const submissionSchema = z.strictObject({
  provider: z.enum(["gpu", "gemini", "claude-api"]),
  priority: z.enum(["critical", "high", "default", "low"]),
  title: z.string(),
  prompt: z.string().min(1),
  tags: z.array(z.string()),
  metadata: z.strictObject({ project: z.string(), task: z.string() }),
});

const idempotencyKeySchema = z.string().regex(/^[!-~]{1,255}$/);

/** An answer that says no. */
export class Refusal extends Error {
  /** @param {number} status @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * What a request hands in. Throws a Refusal.
 * @param {import("node:http").IncomingMessage} incoming
 */
export async function readSubmission(incoming) {
  const body = await readBody(incoming);
  const key = idempotencyKeySchema.safeParse(incoming.headers["idempotency-key"]);
  if (!key.success)
    throw new Refusal(400, "idempotency_key", "Idempotency-Key: 1 to 255 characters, none of them blank");
  const json = parseJson(body);
  if (json === undefined) throw new Refusal(400, "not_json", "the body is not JSON in UTF-8");
  const submission = submissionSchema.safeParse(json);
  if (!submission.success) throw new Refusal(422, "invalid_submission", z.prettifyError(submission.error));
  return { key: key.data, submission: submission.data };
}

/** @param {import("node:http").IncomingMessage} incoming */
async function readBody(incoming) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    // What is too large is read to its end all the same: a client that is still sending would not see the answer.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) throw new Refusal(413, "too_large", `more than ${MAX_BODY_BYTES} bytes`);
  return Buffer.concat(chunks);
}

/** Undefined for what is not JSON. @param {Buffer} body @returns {unknown} */
function parseJson(body) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
